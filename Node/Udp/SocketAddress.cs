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

    /// <summary>The sender of a received message, with the local address it was sent to as source.</summary>
    public static UdpEndpoint Read(in MsgHdr message)
    {
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
        return ReadSource(message, endpoint);
    }

    private static UdpEndpoint ReadSource(in MsgHdr message, in UdpEndpoint endpoint)
    {
        var next = (byte*)message.Control;
        byte* end = next + message.ControlLength;
        while (end - next >= sizeof(CMsgHdr))
        {
            var header = (CMsgHdr*)next;
            long data = (long)header->Length - sizeof(CMsgHdr);
            if (data < 0 || data > end - next - sizeof(CMsgHdr))
                break;
            if (header->Level == IpProtoIp && header->Type == IpPktInfo && data >= sizeof(InPktInfo))
            {
                var info = (InPktInfo*)(header + 1);
                uint source = BinaryPrimitives.ReverseEndianness(info->SpecificDestination);
                return endpoint.WithSource(0, source, info->InterfaceIndex);
            }
            if (header->Level == IpProtoIPv6 && header->Type == IPv6PktInfo && data >= sizeof(In6PktInfo))
            {
                var info = (In6PktInfo*)(header + 1);
                ReadIPv6(&info->Address, out ulong high, out ulong low);
                return endpoint.WithSource(high, low, (int)info->InterfaceIndex);
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
