using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Mesh.Node.Kernel;

namespace Mesh.Node.Udp;

/// <summary>Endpoints to and from the socket interface's addresses and control messages.</summary>
internal static unsafe class SocketAddress
{
    public const int IpProtoIp = 0;
    public const int IpProtoIPv6 = 41;
    public const int IpPktInfo = 8;
    public const int IPv6PktInfo = 50;
    public const int IpTrafficClass = 1; // IP_TOS
    public const int IPv6TrafficClass = 67;
    public const int SolUdp = 17;
    public const int UdpSegment = 103;
    public const int UdpGro = 104;

    /// <summary>Writes the remote part as sockaddr_in or sockaddr_in6 (28 bytes of room).</summary>
    /// <returns>The bytes written.</returns>
    public static uint WriteAddress(in UdpEndpoint endpoint, void* destination)
    {
        ushort port = BinaryPrimitives.ReverseEndianness((ushort)endpoint.Port);
        if (endpoint.Family == UdpFamily.IPv4)
        {
            *(SockAddrIn*)destination = new SockAddrIn
            {
                Family = Libc.AF_INET,
                Port = port,
                Address = BinaryPrimitives.ReverseEndianness((uint)endpoint.AddressLow),
            };
            return (uint)sizeof(SockAddrIn);
        }
        var address = (SockAddrIn6*)destination;
        address->Family = Libc.AF_INET6;
        address->Port = port;
        address->FlowInfo = 0;
        address->ScopeId = endpoint.ScopeId;
        WriteIPv6(endpoint.AddressHigh, endpoint.AddressLow, &address->Address);
        return (uint)sizeof(SockAddrIn6);
    }

    /// <summary>Writes the sticky source as a packet information control message (40 bytes of room).</summary>
    /// <returns>The bytes written; 0 without a source.</returns>
    public static nuint WriteSource(in UdpEndpoint endpoint, void* destination)
    {
        if (!endpoint.HasSource)
            return 0;
        var header = (CMsgHdr*)destination;
        if (endpoint.Family == UdpFamily.IPv4)
        {
            header->Length = (nuint)CMsgHdr.LengthFor(sizeof(InPktInfo));
            header->Level = IpProtoIp;
            header->Type = IpPktInfo;
            // The address alone sticks. An interface index here would force packets out of that interface even when
            // routes have changed; the device forgets a source whose route has moved.
            *(InPktInfo*)(header + 1) = new InPktInfo
            {
                SpecificDestination = BinaryPrimitives.ReverseEndianness((uint)endpoint.SourceLow),
            };
            return (nuint)CMsgHdr.SpaceFor(sizeof(InPktInfo));
        }
        header->Length = (nuint)CMsgHdr.LengthFor(sizeof(In6PktInfo));
        header->Level = IpProtoIPv6;
        header->Type = IPv6PktInfo;
        var info = (In6PktInfo*)(header + 1);
        WriteIPv6(endpoint.SourceHigh, endpoint.SourceLow, &info->Address);
        // A link-local source means nothing without its interface.
        info->InterfaceIndex = UdpEndpoint.IsLinkLocal(endpoint.SourceHigh) ? (uint)endpoint.SourceInterface : 0;
        return (nuint)CMsgHdr.SpaceFor(sizeof(In6PktInfo));
    }

    /// <summary>Writes the length that the kernel is to cut a message into datagrams at (24 bytes of room).</summary>
    /// <returns>The bytes written.</returns>
    public static nuint WriteSegmentSize(int length, void* destination)
    {
        var header = (CMsgHdr*)destination;
        header->Length = (nuint)CMsgHdr.LengthFor(sizeof(ushort));
        header->Level = SolUdp;
        header->Type = UdpSegment;
        *(ushort*)(header + 1) = (ushort)length;
        return (nuint)CMsgHdr.SpaceFor(sizeof(ushort));
    }

    /// <summary>Writes the traffic class of the outer header (24 bytes of room).</summary>
    /// <returns>The bytes written.</returns>
    public static nuint WriteTrafficClass(UdpFamily family, int value, void* destination)
    {
        var header = (CMsgHdr*)destination;
        header->Length = (nuint)CMsgHdr.LengthFor(sizeof(int));
        (header->Level, header->Type) = family == UdpFamily.IPv4 ? (IpProtoIp, IpTrafficClass) : (IpProtoIPv6, IPv6TrafficClass);
        *(int*)(header + 1) = value;
        return (nuint)CMsgHdr.SpaceFor(sizeof(int));
    }

    /// <summary>The sender of a received message, with the local address it was sent to as source.</summary>
    /// <param name="segmentSize">The length of each datagram but the last; 0 when it is a single one.</param>
    /// <param name="ecn">The ECN mark of the outer header.</param>
    public static UdpEndpoint Read(in MsgHdr message, out int segmentSize, out int ecn)
    {
        (segmentSize, ecn) = (0, 0);
        UdpEndpoint endpoint;
        if (*(ushort*)message.Name == Libc.AF_INET && message.NameLength >= sizeof(SockAddrIn))
        {
            var address = (SockAddrIn*)message.Name;
            endpoint = UdpEndpoint.IPv4(
                BinaryPrimitives.ReverseEndianness(address->Address),
                BinaryPrimitives.ReverseEndianness(address->Port));
        }
        else if (*(ushort*)message.Name == Libc.AF_INET6 && message.NameLength >= sizeof(SockAddrIn6))
        {
            var address = (SockAddrIn6*)message.Name;
            ReadIPv6(&address->Address, out ulong high, out ulong low);
            endpoint = UdpEndpoint.IPv6(
                high, low, BinaryPrimitives.ReverseEndianness(address->Port), address->ScopeId);
        }
        else
        {
            return default;
        }
        return ReadControl(message, endpoint, ref segmentSize, ref ecn);
    }

    private static UdpEndpoint ReadControl(in MsgHdr message, in UdpEndpoint from, ref int segmentSize, ref int ecn)
    {
        UdpEndpoint endpoint = from;
        var next = (byte*)message.Control;
        byte* end = next + message.ControlLength;
        while (end - next >= sizeof(CMsgHdr))
        {
            var header = (CMsgHdr*)next;
            long data = (long)header->Length - sizeof(CMsgHdr);
            if (data < 0 || data > end - next - sizeof(CMsgHdr))
                break;
            switch (header->Level, header->Type)
            {
                case (IpProtoIp, IpPktInfo) when data >= sizeof(InPktInfo):
                    var info = (InPktInfo*)(header + 1);
                    endpoint = endpoint.WithSource(0, BinaryPrimitives.ReverseEndianness(info->SpecificDestination), info->InterfaceIndex);
                    break;
                case (IpProtoIPv6, IPv6PktInfo) when data >= sizeof(In6PktInfo):
                    var info6 = (In6PktInfo*)(header + 1);
                    ReadIPv6(&info6->Address, out ulong high, out ulong low);
                    endpoint = endpoint.WithSource(high, low, (int)info6->InterfaceIndex);
                    break;
                case (SolUdp, UdpGro) when data >= sizeof(int):
                    segmentSize = *(int*)(header + 1);
                    break;
                // One byte for IPv4, an int for IPv6: the mark is in the first of either.
                case (IpProtoIp, IpTrafficClass) when data >= 1:
                case (IpProtoIPv6, IPv6TrafficClass) when data >= 1:
                    ecn = *(byte*)(header + 1) & 3;
                    break;
            }
            next += CMsgHdr.SpaceFor((int)data);
        }
        return endpoint;
    }

    private static void WriteIPv6(ulong high, ulong low, void* destination)
    {
        Unsafe.WriteUnaligned(destination, BinaryPrimitives.ReverseEndianness(high));
        Unsafe.WriteUnaligned((byte*)destination + 8, BinaryPrimitives.ReverseEndianness(low));
    }

    private static void ReadIPv6(void* address, out ulong high, out ulong low)
    {
        high = BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<ulong>(address));
        low = BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<ulong>((byte*)address + 8));
    }
}
