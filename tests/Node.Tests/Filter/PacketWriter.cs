using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Mesh.Node.Tests.Filter;

/// <summary>Writes packets as a host would, without checksums, which no filter reads.</summary>
internal static class PacketWriter
{
    public const byte Fin = 1, Syn = 2, Rst = 4, Ack = 16;
    public const byte IcmpProtocol = 1, TcpProtocol = 6, UdpProtocol = 17, IcmpV6Protocol = 58, SctpProtocol = 132;

    public static byte[] TcpPacket(IPAddress from, IPAddress to, int fromPort, int toPort, byte flags, int data = 0)
    {
        byte[] segment = new byte[20 + data];
        WritePorts(segment, fromPort, toPort);
        (segment[12], segment[13]) = (5 << 4, flags);
        return Ip(from, to, TcpProtocol, segment);
    }

    public static byte[] UdpPacket(IPAddress from, IPAddress to, int fromPort, int toPort, int data = 0)
    {
        byte[] datagram = new byte[8 + data];
        WritePorts(datagram, fromPort, toPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(4), (ushort)datagram.Length);
        return Ip(from, to, UdpProtocol, datagram);
    }

    public static byte[] EchoRequest(IPAddress from, IPAddress to, int id, int data = 0) => IcmpPacket(from, to, IsV6(from) ? 128 : 8, 0, EchoBody(id, data));

    public static byte[] EchoReply(IPAddress from, IPAddress to, int id, int data = 0) => IcmpPacket(from, to, IsV6(from) ? 129 : 0, 0, EchoBody(id, data));

    /// <summary>"Packet too big", or "fragmentation needed", about a packet.</summary>
    public static byte[] TooBig(IPAddress from, IPAddress to, byte[] about, int quoted = 64) =>
        IcmpPacket(from, to, IsV6(from) ? 2 : 3, IsV6(from) ? 0 : 4, [0, 0, 5, 0, .. about.Take(quoted)]);

    /// <param name="body">Behind type, code and checksum.</param>
    public static byte[] IcmpPacket(IPAddress from, IPAddress to, int type, int code, byte[] body) =>
        Ip(from, to, IsV6(from) ? IcmpV6Protocol : IcmpProtocol, [(byte)type, (byte)code, 0, 0, .. body]);

    /// <summary>The packet that asks for something of a protocol: what a connection there would begin with.</summary>
    public static byte[] Opening(IPAddress from, IPAddress to, byte protocol, int port, int fromPort = 40_000) => protocol switch
    {
        TcpProtocol => TcpPacket(from, to, fromPort, port, Syn),
        UdpProtocol => UdpPacket(from, to, fromPort, port, data: 12),
        IcmpProtocol when !IsV6(from) => EchoRequest(from, to, fromPort),
        IcmpV6Protocol when IsV6(from) => EchoRequest(from, to, fromPort),
        SctpProtocol => Ip(from, to, SctpProtocol, [(byte)(fromPort >> 8), (byte)fromPort, (byte)(port >> 8), (byte)port, .. new byte[24]]),
        _ => Ip(from, to, protocol, new byte[24]),
    };

    public static byte[] Ip(IPAddress from, IPAddress to, byte protocol, byte[] payload)
    {
        if (!IsV6(from))
        {
            byte[] packet = new byte[20 + payload.Length];
            packet[0] = 0x45;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
            (packet[8], packet[9]) = (64, protocol);
            from.GetAddressBytes().CopyTo(packet, 12);
            to.GetAddressBytes().CopyTo(packet, 16);
            payload.CopyTo(packet, 20);
            return packet;
        }
        byte[] packet6 = new byte[40 + payload.Length];
        packet6[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(packet6.AsSpan(4), (ushort)payload.Length);
        (packet6[6], packet6[7]) = (protocol, 64);
        from.GetAddressBytes().CopyTo(packet6, 8);
        to.GetAddressBytes().CopyTo(packet6, 24);
        payload.CopyTo(packet6, 40);
        return packet6;
    }

    /// <summary>Puts extension headers of an IPv6 packet in front of what it carries.</summary>
    /// <param name="headers">Type, and the bytes behind "next header" and "length": 6, or 8 times n more.</param>
    public static byte[] WithExtensions(byte[] packet, params (byte Type, byte[] Body)[] headers)
    {
        byte next = packet[6];
        List<byte> chain = [.. packet.AsSpan(40)];
        foreach (var (type, body) in headers.Reverse())
        {
            chain.InsertRange(0, [next, (byte)((body.Length - 6) / 8), .. body]);
            next = type;
        }
        byte[] changed = [.. packet[..40], .. chain];
        changed[6] = next;
        BinaryPrimitives.WriteUInt16BigEndian(changed.AsSpan(4), (ushort)chain.Count);
        return changed;
    }

    /// <summary>IPv4 options in front of what the packet carries; a multiple of 4 bytes.</summary>
    public static byte[] WithOptions(byte[] packet, params byte[] options)
    {
        byte[] changed = [.. packet[..20], .. options, .. packet[20..]];
        changed[0] = (byte)(0x45 + options.Length / 4);
        BinaryPrimitives.WriteUInt16BigEndian(changed.AsSpan(2), (ushort)changed.Length);
        return changed;
    }

    /// <summary>A fragment made of some of the bytes behind the IP header.</summary>
    /// <param name="offset">A multiple of 8.</param>
    public static byte[] Fragment(byte[] packet, uint id, int offset, int length, bool more)
    {
        if (packet[0] >> 4 == 4)
        {
            byte[] part = [.. packet[..20], .. packet.AsSpan(20 + offset, length)];
            BinaryPrimitives.WriteUInt16BigEndian(part.AsSpan(2), (ushort)part.Length);
            BinaryPrimitives.WriteUInt16BigEndian(part.AsSpan(4), (ushort)id);
            BinaryPrimitives.WriteUInt16BigEndian(part.AsSpan(6), (ushort)(offset / 8 | (more ? 0x2000 : 0)));
            return part;
        }
        byte[] header = [packet[6], 0, 0, 0, 0, 0, 0, 0];
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(offset | (more ? 1 : 0)));
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4), id);
        byte[] part6 = [.. packet[..40], .. header, .. packet.AsSpan(40 + offset, length)];
        part6[6] = 44;
        BinaryPrimitives.WriteUInt16BigEndian(part6.AsSpan(4), (ushort)(part6.Length - 40));
        return part6;
    }

    /// <summary>The whole datagram in fragments of so many bytes, a multiple of 8.</summary>
    public static List<byte[]> Split(byte[] packet, uint id, int size)
    {
        int header = packet[0] >> 4 == 4 ? 20 : 40;
        List<byte[]> parts = [];
        for (int at = 0; at < packet.Length - header; at += size)
        {
            int length = Math.Min(size, packet.Length - header - at);
            parts.Add(Fragment(packet, id, at, length, more: at + length < packet.Length - header));
        }
        return parts;
    }

    private static byte[] EchoBody(int id, int data) => [(byte)(id >> 8), (byte)id, 0, 1, .. new byte[data]];

    private static void WritePorts(byte[] header, int from, int to)
    {
        BinaryPrimitives.WriteUInt16BigEndian(header, (ushort)from);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)to);
    }

    private static bool IsV6(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6;
}
