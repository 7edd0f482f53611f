using Mesh.Node.Offload;

namespace Mesh.Node.Tests.Offload;

public sealed unsafe class SegmenterTests
{
    [Fact]
    public void Superpackets_are_cut_as_a_plain_reading_cuts_them()
    {
        var random = new Random(3);
        for (int i = 0; i < 1500; i++)
        {
            SuperpacketSample sample = SuperpacketSample.Any(random);
            Assert.Equal(sample.Segments, Cut(sample.Packet, sample.Header));
        }
    }

    [Fact]
    public void The_header_length_and_checksum_place_that_the_kernel_names_are_not_believed()
    {
        SuperpacketSample sample = SuperpacketSample.Make(new Random(4), isV4: true, isTcp: true, payload: 5000, segment: 1000, options: 12);
        VirtioNetHeader odd = sample.Header;
        (odd.HeaderLength, odd.ChecksumStart, odd.ChecksumOffset) = (9999, 3, 60_000);
        Assert.Equal(sample.Segments, Cut(sample.Packet, odd));
    }

    [Fact]
    public void Only_the_first_segment_says_that_the_window_was_reduced_and_only_the_last_that_the_flow_ends()
    {
        SuperpacketSample sample = SuperpacketSample.Make(new Random(5), isV4: false, isTcp: true, payload: 3000, segment: 1000, flags: 0x99);
        VirtioNetHeader header = sample.Header;
        header.GsoType |= VirtioNetHeader.GsoEcn;
        Assert.Equal([0x90, 0x10, 0x19], Cut(sample.Packet, header)!.Select(packet => (int)packet[sample.Transport + 13]));
    }

    [Fact]
    public void Ipv6_extension_headers_stand_in_every_segment()
    {
        SuperpacketSample sample = SuperpacketSample.Make(new Random(6), isV4: false, isTcp: true, payload: 2500, segment: 1000, extension: true);
        var cut = Cut(sample.Packet, sample.Header)!;
        Assert.Equal(3, cut.Count);
        Assert.Equal(sample.Segments, cut);
        Assert.All(cut, packet => Assert.Equal(0, PlainOffload.ChecksumErrors(packet, 48, 6)));
    }

    [Fact]
    public void What_is_no_superpacket_of_its_kind_is_refused()
    {
        SuperpacketSample good = SuperpacketSample.Make(new Random(7), isV4: true, isTcp: true, payload: 3000, segment: 1000);
        Refused(good, (p, h) => p[9] = 17);
        Refused(good, (p, h) => p[6] = 0x20); // a fragment
        Refused(good, (p, h) => p[0] = 0x65);
        Refused(good, (p, h) => p[0] = 0x44);
        Refused(good, (p, h) => p[32] = 0x40); // a TCP header of 16 bytes
        Assert.Null(Cut(good.Packet, good.Header with { GsoSize = 0 }));
        Assert.Null(Cut(good.Packet, good.Header with { GsoSize = 1 })); // more than a session can give counters at once
        Assert.Null(Cut(good.Packet, good.Header with { GsoType = 3 })); // UFO
        Assert.Null(Cut(good.Packet, good.Header with { GsoType = VirtioNetHeader.GsoUdp }));
        Assert.Null(Cut(good.Packet, good.Header with { GsoType = VirtioNetHeader.GsoTcp6 }));
        Assert.Null(Cut(good.Packet[..40], good.Header));
        Assert.Null(Cut(good.Packet[..39], good.Header));
    }

    [Fact]
    public void A_lone_packets_missing_checksum_is_made_and_never_comes_out_as_none()
    {
        var random = new Random(8);
        int zeroes = 0;
        for (int i = 0; i < 1_000_000 && zeroes == 0; i++)
        {
            SuperpacketSample sample = SuperpacketSample.Make(random, isV4: true, isTcp: false, payload: 2 + (i % 50), segment: 100);
            byte[] packet = sample.Packet;
            VirtioNetHeader header = sample.Header with { GsoType = VirtioNetHeader.GsoNone, GsoSize = 0 };
            fixed (byte* p = packet) Assert.True(Segmenter.TryCompleteChecksum(p, packet.Length, header));
            Assert.Equal(0, PlainOffload.ChecksumErrors(packet, 20, 17));
            Assert.NotEqual(0, packet[26] << 8 | packet[27]);
            zeroes += packet[26] == 0xff && packet[27] == 0xff ? 1 : 0;
        }
        Assert.Equal(1, zeroes);
    }

    [Theory]
    [InlineData(28, 6)]
    [InlineData(20, 7)]
    [InlineData(65_535, 65_535)]
    public void A_checksum_place_outside_the_packet_is_refused(int start, int offset)
    {
        byte[] packet = new byte[28];
        var header = new VirtioNetHeader { Flags = VirtioNetHeader.NeedsChecksum, ChecksumStart = (ushort)start, ChecksumOffset = (ushort)offset };
        fixed (byte* p = packet) Assert.False(Segmenter.TryCompleteChecksum(p, packet.Length, header));
    }

    internal static List<byte[]>? Cut(byte[] packet, in VirtioNetHeader header)
    {
        byte[] room = new byte[70_000];
        fixed (byte* p = packet, r = room)
        {
            if (!Segmenter.TryBegin(p, packet.Length, header, out Segmenter segmenter)) return null;
            List<byte[]> cut = [];
            for (int i = 0; i < segmenter.Count; i++)
            {
                int length = segmenter.Write(i, r);
                Assert.InRange(length, 1, segmenter.FullLength);
                cut.Add(room[..length]);
            }
            return cut;
        }
    }

    private static void Refused(SuperpacketSample good, Action<byte[], VirtioNetHeader> change)
    {
        byte[] packet = [.. good.Packet];
        change(packet, good.Header);
        Assert.Null(Cut(packet, good.Header));
    }
}
