using System.Net;
using Mesh.Node.Device;
using Mesh.Node.Offload;
using Mesh.Node.Tests.Offload;

namespace Mesh.Fuzz;

/// <summary>Superpackets and their headers, which come from a kernel and from peers' packets: held against a plain reading.</summary>
public sealed unsafe class OffloadFuzz(ITestOutputHelper output)
{
    [Fact]
    public void Superpackets_with_any_header_are_cut_right_or_refused()
    {
        int cut = 0;
        var run = new FuzzRun("superpackets", output);
        byte[] room = new byte[70_000];
        run.Run(40, random =>
        {
            for (int i = 0; i < 200; i++)
            {
                SuperpacketSample sample = SuperpacketSample.Any(random);
                byte[] packet = Changed(sample.Packet, random);
                VirtioNetHeader header = Changed(sample.Header, random);
                run.Try(packet);
                fixed (byte* p = packet, r = room)
                {
                    byte[] before = [.. packet];
                    Segmenter.TryCompleteChecksum(p, packet.Length, header);
                    if (before.Length >= 20 && Segmenter.TryBegin(p, packet.Length, header, out Segmenter segmenter))
                    {
                        int transport = TransportHeader.Find(p, packet.Length, out byte protocol);
                        var plain = PlainOffload.Cut(packet, transport, header);
                        Assert.Equal(plain.Count, segmenter.Count);
                        for (int n = 0; n < segmenter.Count; n++)
                        {
                            int length = segmenter.Write(n, r);
                            Assert.True(room.AsSpan(0, length).SequenceEqual(plain[n]), $"segment {n}");
                        }
                        cut++;
                    }
                }
            }
        }, () => $"{cut} cut");
        Assert.True(cut > 0);
    }

    [Fact]
    public void What_is_joined_comes_apart_again_into_what_came_in()
    {
        int joined = 0;
        var run = new FuzzRun("coalescing", output);
        using var lab = new CoalescerLab(capacity: 192);
        run.Run(40, random =>
        {
            for (int i = 0; i < 30; i++)
            {
                List<byte[]> packets = [];
                for (int flows = random.Next(1, 5); flows > 0; flows--)
                    foreach (byte[] segment in SuperpacketSample.Any(random).Segments.Take(40)) packets.Add(segment);
                for (int changes = random.Next(6); changes > 0; changes--)
                {
                    int at = random.Next(packets.Count);
                    if (random.Next(4) == 0) packets.Insert(random.Next(packets.Count), packets[at]);
                    else packets[at] = Changed(packets[at], random);
                }
                // What reaches the coalescer is a whole packet of the length that it says.
                packets = packets.ConvertAll(packet => InnerPacket.TryGetSource(packet, out _, out int length) ? packet[..length] : []);
                packets.RemoveAll(packet => packet.Length == 0);
                run.Try(packets.SelectMany(packet => packet).Take(4096).ToArray());
                var written = lab.Pass(packets);
                joined += packets.Count - written.Count;
                var received = written.SelectMany(one => PlainOffload.AsReceived(one.Packet, one.Header)).Select(Comparable).Order(StringComparer.Ordinal);
                Assert.Equal(packets.Select(Comparable).Order(StringComparer.Ordinal), received);
            }
        }, () => $"{joined} joined");
        Assert.True(joined > 0);
    }

    /// <summary>Ids and IPv4 checksums of packets that can't be fragmented may change (RFC 6864).</summary>
    private static string Comparable(byte[] packet)
    {
        if (packet[0] != 0x45 || (packet[6] & 0x40) == 0) return Convert.ToHexString(packet);
        byte[] same = [.. packet];
        same[4] = same[5] = same[10] = same[11] = 0;
        return Convert.ToHexString(same) + (PlainOffload.Checksum(packet.AsSpan(0, 20)) == 0);
    }

    private static byte[] Changed(byte[] packet, Random random)
    {
        byte[] changed = [.. packet];
        switch (random.Next(6))
        {
            case 0:
                break;
            case 1:
                changed = changed[..random.Next(changed.Length + 1)];
                break;
            case > 1 when changed.Length > 0:
                // Mostly in the headers.
                for (int n = random.Next(1, 4); n > 0; n--) changed[random.Next(Math.Min(changed.Length, random.Next(8) == 0 ? 2000 : 64))] = (byte)Mutator.Edge(random);
                break;
        }
        return changed;
    }

    private static VirtioNetHeader Changed(VirtioNetHeader header, Random random)
    {
        for (int n = random.Next(3); n > 0; n--)
        {
            ushort value = (ushort)Mutator.Edge(random);
            switch (random.Next(6))
            {
                case 0: header.Flags = (byte)value; break;
                case 1: header.GsoType = (byte)random.Next(8); break;
                case 2: header.HeaderLength = value; break;
                case 3: header.GsoSize = value; break;
                case 4: header.ChecksumStart = value; break;
                default: header.ChecksumOffset = value; break;
            }
        }
        return header;
    }
}
