using System.Buffers.Binary;
using Mesh.Node.Offload;

namespace Mesh.Node.Tests.Offload;

/// <summary>
/// What a kernel does with superpackets and checksums, read plainly off the RFCs and a byte at a time: the other opinion that
/// the quick code is held against.
/// </summary>
internal static class PlainOffload
{
    public static ushort Checksum(ReadOnlySpan<byte> bytes, uint sum = 0)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += i % 2 == 0 ? (uint)bytes[i] << 8 : bytes[i];
            sum = (sum & 0xffff) + (sum >> 16);
        }
        return (ushort)~sum;
    }

    public static ushort TransportChecksum(ReadOnlySpan<byte> packet, int transport, byte protocol)
    {
        List<byte> all = [.. packet[0] >> 4 == 4 ? packet[12..20] : packet[8..40], 0, protocol];
        int length = packet.Length - transport;
        all.AddRange([(byte)(length >> 8), (byte)length]);
        all.AddRange(packet[transport..]);
        return Checksum([.. all]);
    }

    /// <summary>0 is right.</summary>
    public static int ChecksumErrors(ReadOnlySpan<byte> packet, int transport, byte protocol) =>
        (packet[0] >> 4 == 4 && Checksum(packet[..transport]) != 0 ? 1 : 0) + (TransportChecksum(packet, transport, protocol) != 0 ? 2 : 0);

    /// <summary>Cuts up a superpacket whose transport header stands at <paramref name="transport"/>.</summary>
    public static List<byte[]> Cut(ReadOnlySpan<byte> packet, int transport, in VirtioNetHeader virtio)
    {
        bool isTcp = virtio.GsoType != VirtioNetHeader.GsoUdp, isV4 = packet[0] >> 4 == 4;
        int header = transport + (isTcp ? (packet[transport + 12] >> 4) * 4 : 8);
        List<byte[]> cut = [];
        for (int at = header; at < packet.Length; at += virtio.GsoSize)
        {
            byte[] one = [.. packet[..header], .. packet[at..Math.Min(at + virtio.GsoSize, packet.Length)]];
            bool isLast = at + virtio.GsoSize >= packet.Length;
            if (isV4)
            {
                BinaryPrimitives.WriteUInt16BigEndian(one.AsSpan(2), (ushort)one.Length);
                BinaryPrimitives.WriteUInt16BigEndian(one.AsSpan(4), (ushort)(BinaryPrimitives.ReadUInt16BigEndian(packet[4..]) + cut.Count));
                one[10] = one[11] = 0;
                BinaryPrimitives.WriteUInt16BigEndian(one.AsSpan(10), Checksum(one.AsSpan(0, transport)));
            }
            else
            {
                BinaryPrimitives.WriteUInt16BigEndian(one.AsSpan(4), (ushort)(one.Length - 40));
            }
            int checksum = transport + (isTcp ? 16 : 6);
            if (isTcp)
            {
                BinaryPrimitives.WriteUInt32BigEndian(one.AsSpan(transport + 4), BinaryPrimitives.ReadUInt32BigEndian(packet[(transport + 4)..]) + (uint)(at - header));
                if (!isLast) one[transport + 13] &= 0xf6;
                if (cut.Count > 0) one[transport + 13] &= 0x7f;
            }
            else
            {
                BinaryPrimitives.WriteUInt16BigEndian(one.AsSpan(transport + 4), (ushort)(one.Length - transport));
            }
            one[checksum] = one[checksum + 1] = 0;
            ushort sum = TransportChecksum(one, transport, isTcp ? (byte)6 : (byte)17);
            BinaryPrimitives.WriteUInt16BigEndian(one.AsSpan(checksum), !isTcp && sum == 0 ? (ushort)0xffff : sum);
            cut.Add(one);
        }
        return cut;
    }

    /// <summary>What the host would see of a packet that was written to it: itself, or what it is cut into. Held to what a kernel asks for.</summary>
    public static List<byte[]> AsReceived(byte[] packet, in VirtioNetHeader virtio)
    {
        if (virtio.GsoType == VirtioNetHeader.GsoNone) return [packet];
        Assert.Equal(VirtioNetHeader.NeedsChecksum, virtio.Flags);
        bool isV4 = packet[0] >> 4 == 4, isTcp = virtio.GsoType != VirtioNetHeader.GsoUdp;
        int transport = isV4 ? 20 : 40;
        Assert.Equal(transport, virtio.ChecksumStart);
        Assert.Equal(isTcp ? 16 : 6, virtio.ChecksumOffset);
        if (isTcp) Assert.Equal(isV4 ? VirtioNetHeader.GsoTcp4 : VirtioNetHeader.GsoTcp6, virtio.GsoType);
        Assert.Equal(isTcp ? 6 : 17, packet[isV4 ? 9 : 6]);
        int header = transport + (isTcp ? (packet[transport + 12] >> 4) * 4 : 8);
        Assert.Equal(header, virtio.HeaderLength);
        Assert.True(packet.Length > header + virtio.GsoSize, "more than one segment");
        int says = isV4 ? BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(2)) : 40 + BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(4));
        Assert.Equal(packet.Length, says);
        if (isV4) Assert.Equal(0, Checksum(packet.AsSpan(0, 20)));
        // The field holds the pseudo-header's sum, not its complement.
        int at = transport + virtio.ChecksumOffset;
        List<byte> pseudo = [.. isV4 ? packet[12..20] : packet[8..40], 0, packet[isV4 ? 9 : 6], (byte)((packet.Length - transport) >> 8), (byte)(packet.Length - transport)];
        Assert.Equal((ushort)~Checksum([.. pseudo]), BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(at)));
        return Cut(packet, transport, virtio);
    }
}
