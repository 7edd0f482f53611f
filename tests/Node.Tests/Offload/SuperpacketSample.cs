using System.Buffers.Binary;
using Mesh.Node.Offload;

namespace Mesh.Node.Tests.Offload;

/// <summary>Superpackets as a host sends them.</summary>
internal sealed class SuperpacketSample
{
    private SuperpacketSample(byte[] packet, VirtioNetHeader header, int transport) => (Packet, Header, Transport) = (packet, header, transport);

    public byte[] Packet { get; }

    public VirtioNetHeader Header { get; }

    public int Transport { get; }

    public byte Protocol => Header.GsoType == VirtioNetHeader.GsoUdp ? (byte)17 : (byte)6;

    /// <summary>What it is cut into, plainly.</summary>
    public List<byte[]> Segments => PlainOffload.Cut(Packet, Transport, Header);

    /// <param name="extension">IPv6: a destination options header stands before the transport's.</param>
    public static SuperpacketSample Make(
        Random random, bool isV4, bool isTcp, int payload, int segment, int options = 0, byte flags = 0x10, bool extension = false, byte ecn = 0, byte[]? source = null, byte[]? destination = null)
    {
        int transport = isV4 ? 20 : extension ? 48 : 40, header = transport + (isTcp ? 20 + options : 8);
        byte[] packet = new byte[header + payload];
        random.NextBytes(packet);
        if (isV4)
        {
            packet[0] = 0x45;
            packet[1] = ecn;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
            (packet[6], packet[7], packet[8], packet[9]) = ((byte)(random.Next(2) * 0x40), 0, 64, isTcp ? (byte)6 : (byte)17);
            (source ?? [10, 0, 0, 1]).CopyTo(packet, 12);
            (destination ?? [10, 0, 0, 2]).CopyTo(packet, 16);
            packet[10] = packet[11] = 0;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), PlainOffload.Checksum(packet.AsSpan(0, 20)));
        }
        else
        {
            (packet[0], packet[1]) = (0x60, (byte)(ecn << 4));
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)(packet.Length - 40));
            packet[6] = extension ? (byte)60 : isTcp ? (byte)6 : (byte)17;
            packet[7] = 64;
            if (extension) (packet[40], packet[41]) = (isTcp ? (byte)6 : (byte)17, 0);
        }
        if (isTcp) (packet[transport + 12], packet[transport + 13]) = ((byte)((5 + (options / 4)) << 4), flags);
        else BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(transport + 4), (ushort)(packet.Length - transport));
        int at = isTcp ? 16 : 6;
        // As the host leaves it: the pseudo-header's sum.
        List<byte> pseudo = [.. isV4 ? packet[12..20] : packet[8..40], 0, isTcp ? (byte)6 : (byte)17, (byte)((packet.Length - transport) >> 8), (byte)(packet.Length - transport)];
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(transport + at), (ushort)~PlainOffload.Checksum([.. pseudo]));
        var virtio = new VirtioNetHeader
        {
            Flags = VirtioNetHeader.NeedsChecksum,
            GsoType = !isTcp ? VirtioNetHeader.GsoUdp : isV4 ? VirtioNetHeader.GsoTcp4 : VirtioNetHeader.GsoTcp6,
            HeaderLength = (ushort)header,
            GsoSize = (ushort)segment,
            ChecksumStart = (ushort)transport,
            ChecksumOffset = (ushort)at,
        };
        return new SuperpacketSample(packet, virtio, transport);
    }

    public static SuperpacketSample Any(Random random)
    {
        bool isV4 = random.Next(2) == 0, isTcp = random.Next(2) == 0;
        int segment = random.Next(4) == 0 ? random.Next(1, 64) : random.Next(64, 1500);
        int most = Math.Min(65_000, segment * (random.Next(4) == 0 ? 500 : 20));
        int payload = random.Next(segment + 1, Math.Max(most, segment + 2));
        return Make(random, isV4, isTcp, payload, segment, 4 * random.Next(0, 11), random.Next(3) == 0 ? (byte)0x18 : (byte)0x10, ecn: (byte)random.Next(4));
    }
}
