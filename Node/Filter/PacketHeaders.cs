using System.Buffers.Binary;
using Mesh.Node.Device;

namespace Mesh.Node.Filter;

/// <summary>Which part of a datagram a packet is.</summary>
internal enum DatagramPart : byte
{
    Whole,

    /// <summary>Has the headers.</summary>
    FirstFragment,

    /// <summary>Has none but the IP header.</summary>
    LaterFragment,
}

/// <summary>How much of a packet must be there.</summary>
internal enum PacketForm : byte
{
    /// <summary>All of it.</summary>
    Received,

    /// <summary>What an ICMP error quotes: the headers and 8 bytes more (RFC 792; RFC 4443 quotes more).</summary>
    Quoted,
}

/// <summary>
/// What a rule can ask of a packet, read from the chain of its headers up to the transport's. Strict where a sender could
/// show the filter another packet than the one the host acts on: header chains are bounded and in order, source routes and
/// routing headers with a way to go are refused (RFC 5095), the first fragment must hold all headers (RFC 1858, 7112, 8200).
/// Authentication, mobility and whatever else is not walked over count as protocols of their own, which a rule must name.
/// </summary>
internal struct PacketHeaders
{
    /// <summary>IPv6 extension headers in a chain; the few that have a use are never more than four.</summary>
    public const int MaxExtensionHeaders = 8;

    private const int V4Length = 20;
    private const int V6Length = 40;
    private const int ExtensionUnit = 8;
    private const byte TcpFin = 1, TcpSyn = 2, TcpRst = 4, TcpAck = 16;

    public IpAddressBits Source;
    public IpAddressBits Destination;
    public byte Protocol;
    public DatagramPart Part;
    public IcmpMessage Icmp;
    public byte TcpFlags;

    /// <summary>0 for protocols without.</summary>
    public ushort SourcePort;

    /// <summary>0 for protocols without.</summary>
    public ushort DestinationPort;

    /// <summary>Of an ICMP echo.</summary>
    public ushort EchoId;

    /// <summary>Names a fragment's datagram.</summary>
    public uint FragmentId;

    /// <summary>Where a later fragment's bytes belong in the datagram's fragmentable part.</summary>
    public int FragmentOffset;

    /// <summary>Bytes of the fragmentable part that these headers were read from; a later fragment must not write over them.</summary>
    public int JudgedLength;

    /// <summary>Where the transport's header begins in the packet.</summary>
    public int TransportStart;

    /// <summary>Opens a TCP connection.</summary>
    public readonly bool IsTcpOpening => Protocol == IpProtocol.Tcp && (TcpFlags & (TcpSyn | TcpAck)) == TcpSyn;

    public readonly bool IsTcpFin => (TcpFlags & TcpFin) != 0;

    public readonly bool IsTcpReset => (TcpFlags & TcpRst) != 0;

    /// <returns>Null when the headers were read, else why they can't be.</returns>
    public static DropReason? Read(ReadOnlySpan<byte> packet, PacketForm form, out PacketHeaders headers)
    {
        headers = default;
        if (packet.IsEmpty) return DropReason.PolicyHeaders;
        return (packet[0] >> 4) switch
        {
            4 => headers.ReadV4(packet, form),
            6 => headers.ReadV6(packet, form),
            _ => DropReason.PolicyHeaders,
        };
    }

    private DropReason? ReadV4(ReadOnlySpan<byte> packet, PacketForm form)
    {
        int headerLength = (packet[0] & 15) * 4;
        if (headerLength < V4Length || packet.Length < headerLength || HasSourceRoute(packet[V4Length..headerLength])) return DropReason.PolicyHeaders;
        (Source, Destination, Protocol) = (IpAddressBits.V4(packet[12..]), IpAddressBits.V4(packet[16..]), packet[9]);
        int fragment = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]);
        bool more = (fragment & 0x2000) != 0;
        FragmentOffset = (fragment & 0x1fff) * ExtensionUnit;
        if (more || FragmentOffset != 0)
        {
            FragmentId = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
            Part = FragmentOffset == 0 ? DatagramPart.FirstFragment : DatagramPart.LaterFragment;
            if (Part == DatagramPart.LaterFragment) return null;
        }
        return ReadTransport(packet, headerLength, fragmentableStart: headerLength, form);
    }

    private DropReason? ReadV6(ReadOnlySpan<byte> packet, PacketForm form)
    {
        if (packet.Length < V6Length) return DropReason.PolicyHeaders;
        (Source, Destination, Protocol) = (IpAddressBits.V6(packet[8..]), IpAddressBits.V6(packet[24..]), packet[6]);
        int at = V6Length, fragmentableStart = V6Length;
        bool hasFragmentHeader = false;
        for (int left = MaxExtensionHeaders; IsExtension(Protocol); left--)
        {
            if (left == 0) return DropReason.PolicyHeaders;
            if (packet.Length < at + ExtensionUnit) return CutShort();
            var header = packet[at..];
            int length = ExtensionUnit;
            switch (Protocol)
            {
                case IpProtocol.Fragment:
                    if (hasFragmentHeader) return DropReason.PolicyHeaders;
                    hasFragmentHeader = true;
                    int fragment = BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
                    FragmentOffset = fragment & 0xfff8;
                    FragmentId = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
                    fragmentableStart = at + ExtensionUnit;
                    if (FragmentOffset != 0)
                    {
                        Part = DatagramPart.LaterFragment;
                        return null;
                    }
                    // Without a second fragment it is a whole datagram (RFC 6946).
                    if ((fragment & 1) != 0) Part = DatagramPart.FirstFragment;
                    break;
                case IpProtocol.HopByHop when at != V6Length: // first or nowhere (RFC 8200, 4.1)
                case IpProtocol.Routing when header[3] != 0: // segments left: the host would send it on
                    return DropReason.PolicyHeaders;
                default:
                    length += header[1] * ExtensionUnit;
                    break;
            }
            if (packet.Length < at + length) return CutShort();
            Protocol = header[0];
            at += length;
        }
        return ReadTransport(packet, at, fragmentableStart, form);
    }

    private DropReason? ReadTransport(ReadOnlySpan<byte> packet, int start, int fragmentableStart, PacketForm form)
    {
        var transport = packet[start..];
        bool isIcmp = Protocol == (Source.IsV6 ? IpProtocol.IcmpV6 : IpProtocol.Icmp);
        int length = Protocol switch
        {
            IpProtocol.Tcp => 20,
            IpProtocol.Udp => 8,
            IpProtocol.Sctp => 12,
            _ => isIcmp ? 8 : 0,
        };
        int needed = form == PacketForm.Quoted ? Math.Min(length, 8) : length;
        if (transport.Length < needed) return CutShort();
        TransportStart = start;
        JudgedLength = start - fragmentableStart + length;
        if (IpProtocol.HasPorts(Protocol))
        {
            SourcePort = BinaryPrimitives.ReadUInt16BigEndian(transport);
            DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(transport[2..]);
            if (Protocol == IpProtocol.Tcp && transport.Length > 13) TcpFlags = transport[13];
        }
        else if (isIcmp)
        {
            Icmp = Source.IsV6 ? IcmpTypes.OfV6(transport[0]) : IcmpTypes.OfV4(transport[0]);
            if (Icmp is IcmpMessage.EchoRequest or IcmpMessage.EchoReply) EchoId = BinaryPrimitives.ReadUInt16BigEndian(transport[4..]);
        }
        return null;
    }

    private static bool IsExtension(byte protocol) =>
        protocol is IpProtocol.HopByHop or IpProtocol.Routing or IpProtocol.Fragment or IpProtocol.DestinationOptions;

    /// <summary>A first fragment too small for its headers leaves them to the second, which nobody would judge.</summary>
    private readonly DropReason CutShort() => Part == DatagramPart.FirstFragment ? DropReason.PolicyFragment : DropReason.PolicyHeaders;

    /// <summary>Loose and strict source route lead elsewhere than the destination says. Options that can't be read are as bad.</summary>
    private static bool HasSourceRoute(ReadOnlySpan<byte> options)
    {
        while (!options.IsEmpty)
        {
            switch (options[0])
            {
                case 0:
                    return false;
                case 1:
                    options = options[1..];
                    break;
                case 131 or 137:
                    return true;
                default:
                    if (options.Length < 2 || options[1] < 2 || options[1] > options.Length) return true;
                    options = options[options[1]..];
                    break;
            }
        }
        return false;
    }
}
