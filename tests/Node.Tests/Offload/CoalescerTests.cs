using System.Buffers.Binary;
using Mesh.Node.Offload;

namespace Mesh.Node.Tests.Offload;

public sealed class CoalescerTests
{
    private readonly Random _random = new(9);

    [Fact]
    public void To_coalesce_what_was_cut_up_is_the_identity()
    {
        using var lab = new CoalescerLab();
        for (int i = 0; i < 1000; i++)
        {
            SuperpacketSample sample = SuperpacketSample.Any(_random);
            var cut = SegmenterTests.Cut(sample.Packet, sample.Header)!;
            var written = lab.Pass(cut);
            if (cut.Count <= (sample.Header.GsoType == VirtioNetHeader.GsoUdp ? Coalescer.MaxJoinedUdp : Coalescer.MaxJoined))
            {
                var (packet, header) = Assert.Single(written);
                Assert.Equal(sample.Packet, packet);
                Assert.Equal(sample.Header, header);
            }
            Assert.Equal(cut, written.SelectMany(one => PlainOffload.AsReceived(one.Packet, one.Header)));
        }
    }

    [Fact]
    public void Flows_that_come_mixed_are_joined_apart_and_each_keeps_its_order()
    {
        using var lab = new CoalescerLab();
        for (int i = 0; i < 300; i++)
        {
            var flows = Enumerable.Range(0, _random.Next(2, 8)).Select(_ => SuperpacketSample.Any(_random)).Select(sample => sample.Segments.Take(100).ToList()).ToList();
            var rest = flows.Select(flow => new Queue<byte[]>(flow)).ToList();
            List<byte[]> mixed = [];
            while (rest.FindAll(queue => queue.Count > 0) is { Count: > 0 } left) mixed.Add(left[_random.Next(left.Count)].Dequeue());
            var received = lab.Pass(mixed).SelectMany(one => PlainOffload.AsReceived(one.Packet, one.Header)).ToList();
            Assert.Equal(mixed.Count, received.Count);
            foreach (var flow in flows)
            {
                var ofFlow = received.Where(packet => flow.Exists(one => one.AsSpan().SequenceEqual(packet)));
                Assert.Equal(flow, ofFlow);
            }
        }
    }

    [Fact]
    public void A_lone_packet_is_written_as_it_came()
    {
        using var lab = new CoalescerLab();
        byte[] packet = Tcp(payload: 1000, segment: 2000)[0];
        var (written, header) = Assert.Single(lab.Pass([packet]));
        Assert.Equal(packet, written);
        Assert.Equal(default, header);
    }

    private static readonly (string What, Action<byte[]> Change)[] Differences =
    [
        ("another traffic class", p => p[1] ^= 0x10),
        ("another ECN mark", p => p[1] ^= 2),
        ("another hop limit", p => p[8]--),
        ("don't fragment", p => p[6] ^= 0x40),
        ("more fragments", p => p[6] |= 0x20),
        ("a fragment's offset", p => p[7] = 1),
        ("another source", p => p[15]++),
        ("another destination", p => p[19]++),
        ("another source port", p => p[21]++),
        ("another destination port", p => p[23]++),
        ("a gap in the sequence", p => p[27]++),
        ("another acknowledgement", p => p[31]++),
        ("another window", p => p[35]++),
        ("an urgent pointer", p => p[39]++),
        ("other options", p => p[45]++),
        ("SYN", p => p[33] |= 2),
        ("FIN", p => p[33] |= 1),
        ("RST", p => p[33] |= 4),
        ("URG", p => p[33] |= 0x20),
        ("CWR", p => p[33] |= 0x80),
        ("ECE", p => p[33] |= 0x40),
        ("no ACK", p => p[33] &= 0xef),
        ("a reserved bit", p => p[32] |= 1),
    ];

    [Fact]
    public void What_differs_from_the_first_in_a_header_is_not_joined()
    {
        using var lab = new CoalescerLab();
        foreach (var (what, change) in Differences)
        {
            List<byte[]> segments = Tcp(payload: 3000, segment: 1000, options: 12);
            change(segments[1]);
            Repair(segments[1]);
            var written = lab.Pass(segments);
            Assert.True(written.Count == 3, what);
            Assert.Equal(segments, written.Select(one => one.Packet));
        }
    }

    [Fact]
    public void Ids_go_up_by_one_unless_fragmenting_is_forbidden()
    {
        using var lab = new CoalescerLab();
        foreach (bool forbidden in (bool[])[true, false])
        {
            List<byte[]> segments = Tcp(payload: 3000, segment: 1000);
            foreach (byte[] packet in segments)
            {
                packet[6] = (byte)(forbidden ? 0x40 : 0);
                packet[4] = packet[5] = 0;
                Repair(packet);
            }
            Assert.Equal(forbidden ? 1 : 3, lab.Pass(segments).Count);
        }
    }

    [Fact]
    public void A_push_and_a_shorter_segment_end_the_superpacket()
    {
        using var lab = new CoalescerLab();
        List<byte[]> pushed = Tcp(payload: 5000, segment: 1000);
        pushed[2][33] |= 8;
        Repair(pushed[2]);
        Assert.Equal([3040, 2040], lab.Pass(pushed).Select(one => one.Packet.Length));
        List<byte[]> first = Tcp(payload: 2500, segment: 1000);
        byte[] next = [.. first[0]];
        BinaryPrimitives.WriteUInt32BigEndian(next.AsSpan(24), BinaryPrimitives.ReadUInt32BigEndian(first[0].AsSpan(24)) + 2500);
        next[6] = 0x40;
        Repair(next);
        Assert.Equal([2540, 1040], lab.Pass([.. first, next]).Select(one => one.Packet.Length));
    }

    [Fact]
    public void Broken_checksums_are_passed_on_broken_and_not_made_right()
    {
        using var lab = new CoalescerLab();
        foreach (int broken in (int[])[0, 1, 2])
        {
            foreach (int at in (int[])[10, 36, 500])
            {
                List<byte[]> segments = Tcp(payload: 3000, segment: 1000);
                segments[broken][at] ^= 1;
                var received = lab.Pass(segments).SelectMany(one => PlainOffload.AsReceived(one.Packet, one.Header));
                Assert.Equal(segments, received);
            }
        }
    }

    [Fact]
    public void A_udp_datagram_without_checksum_stays_without()
    {
        using var lab = new CoalescerLab();
        List<byte[]> datagrams = Udp(payload: 300, segment: 100);
        foreach (byte[] datagram in datagrams) datagram[26] = datagram[27] = 0;
        Assert.Equal(datagrams, lab.Pass(datagrams).Select(one => one.Packet));
    }

    [Fact]
    public void What_has_ip_options_or_extension_headers_is_passed_on_alone()
    {
        using var lab = new CoalescerLab();
        var extended = SuperpacketSample.Make(_random, isV4: false, isTcp: true, payload: 3000, segment: 1000, extension: true).Segments;
        Assert.Equal(extended, lab.Pass(extended).Select(one => one.Packet));
        var options = Tcp(payload: 3000, segment: 1000).ConvertAll(packet => (byte[])[0x46, .. packet[1..20], 1, 1, 1, 1, .. packet[20..]]);
        Assert.Equal(options, lab.Pass(options).Select(one => one.Packet));
    }

    [Fact]
    public void A_kernel_that_refuses_superpackets_after_all_gets_every_packet_as_it_came()
    {
        using var lab = new CoalescerLab();
        lab.Tun.RefusesSuperpackets = true;
        List<byte[]> tcp = Tcp(payload: 5500, segment: 1000), udp = Udp(payload: 550, segment: 100);
        Assert.Equal(tcp, lab.Pass(tcp).Select(one => one.Packet));
        Assert.Equal(OffloadSet.TunGso | OffloadSet.TunUdpGro, lab.Tun.Offloads);
        Assert.Equal(udp, lab.Pass(udp).Select(one => one.Packet));
        Assert.Equal(OffloadSet.TunGso, lab.Tun.Offloads);
        Assert.Equal(tcp, lab.Pass(tcp).Select(one => one.Packet));
        Assert.Equal(0, lab.Coalescer.TakeRefused());
    }

    [Theory]
    [InlineData(OffloadSet.None, 6, 6)]
    [InlineData(OffloadSet.TunTcpGro, 1, 6)]
    [InlineData(OffloadSet.TunUdpGro, 6, 1)]
    public void Each_kind_is_joined_only_where_the_kernel_takes_it(OffloadSet offloads, int tcp, int udp)
    {
        using var lab = new CoalescerLab(offloads);
        Assert.Equal(tcp, lab.Pass(Tcp(payload: 5500, segment: 1000)).Count);
        Assert.Equal(udp, lab.Pass(Udp(payload: 550, segment: 100)).Count);
    }

    [Fact]
    public void Packets_that_the_host_does_not_take_are_counted_each()
    {
        using var lab = new CoalescerLab();
        List<byte[]> segments = Tcp(payload: 3000, segment: 1000);
        byte[] lone = Udp(payload: 99, segment: 100)[0];
        byte[] filler = new byte[20];
        filler[0] = 0x45;
        while (Tun.PlainTun.Write(lab.Tun, filler)) { }
        lab.Pass([.. segments, lone]);
        Assert.Equal(4, lab.Coalescer.TakeRefused());
        Assert.Equal(0, lab.Coalescer.TakeRefused());
    }

    [Fact]
    public void More_packets_than_it_has_room_for_are_all_passed_on()
    {
        using var lab = new CoalescerLab();
        List<byte[]> many = [.. Enumerable.Range(0, 3000).Select(i => Udp(payload: 9, segment: 100)[0])];
        Assert.Equal(many, lab.Pass(many).Select(one => one.Packet));
    }

    private List<byte[]> Tcp(int payload, int segment, int options = 0) =>
        SuperpacketSample.Make(_random, isV4: true, isTcp: true, payload, segment, options).Segments;

    private List<byte[]> Udp(int payload, int segment) =>
        SuperpacketSample.Make(_random, isV4: true, isTcp: false, payload, segment).Segments;

    private static void Repair(byte[] packet)
    {
        packet[10] = packet[11] = packet[36] = packet[37] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), PlainOffload.Checksum(packet.AsSpan(0, 20)));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(36), PlainOffload.TransportChecksum(packet, 20, 6));
    }
}
