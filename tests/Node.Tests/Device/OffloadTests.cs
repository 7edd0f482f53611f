using Mesh.Node.Device;
using Mesh.Node.Offload;
using Mesh.Node.Tests.Offload;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Device;

/// <summary>Superpackets through two devices, over kernels with all offloads, some, and none.</summary>
public sealed class OffloadTests
{
    private readonly Random _random = new(10);
    private readonly byte[] _taken = new byte[70_000];

    [Theory]
    [InlineData(OffloadSet.All)]
    [InlineData(OffloadSet.All & ~OffloadSet.UdpGso)]
    [InlineData(OffloadSet.All & ~OffloadSet.UdpGro)]
    [InlineData(OffloadSet.TunGso)]
    [InlineData(OffloadSet.TunTcpGro | OffloadSet.UdpGso)]
    public void A_superpacket_comes_out_as_what_it_stands_for_whatever_the_kernels_can_do(OffloadSet offloads)
    {
        using var lab = new DeviceLab { Offloads = offloads };
        var (a, b) = lab.Connected();
        for (int i = 0; i < 100; i++)
        {
            SuperpacketSample sample = SuperpacketSample.Make(
                _random, isV4: true, isTcp: i % 2 == 0, payload: _random.Next(1401, 60_000), segment: _random.Next(600, 1368), options: i % 4 == 0 ? 12 : 0);
            Assert.True(a.Tun.Inject(sample.Packet, sample.Header));
            lab.Settle();
            Assert.Equal(sample.Segments, Received(b));
        }
        Assert.All(a.Device.Drops.All().Concat(b.Device.Drops.All()), drop => Assert.Equal(0, drop.Count));
    }

    [Fact]
    public void With_all_offloads_a_superpacket_comes_out_as_it_went_in()
    {
        using var lab = new DeviceLab { Offloads = OffloadSet.All };
        var (a, b) = lab.Connected();
        SuperpacketSample sample = SuperpacketSample.Make(_random, isV4: true, isTcp: true, payload: 2000, segment: 1368, options: 12);
        Assert.True(a.Tun.Inject(sample.Packet, sample.Header));
        lab.Settle();
        Assert.True(b.Tun.TryTake(_taken, out int length, out VirtioNetHeader header));
        Assert.Equal(sample.Packet, _taken[..length]);
        Assert.Equal(sample.Header, header);
    }

    [Fact]
    public void A_superpacket_waits_for_a_session_in_pieces()
    {
        using var lab = new DeviceLab { Offloads = OffloadSet.All };
        var (a, b) = lab.Pair();
        SuperpacketSample sample = SuperpacketSample.Make(_random, isV4: true, isTcp: true, payload: 60_000, segment: 1380);
        a.Tun.Inject(sample.Packet, sample.Header);
        lab.Settle();
        Assert.Equal(sample.Segments, Received(b));
    }

    [Fact]
    public void Counters_are_taken_once_each_and_never_beyond_the_last()
    {
        using var lab = new DeviceLab { Offloads = OffloadSet.All };
        var (a, b) = lab.Connected();
        Keypair first = a.PeerOf(b).Keypairs.Current!;
        first.ExpireSending();
        first.TakeCounters(-10);
        SuperpacketSample sample = SuperpacketSample.Make(_random, isV4: true, isTcp: true, payload: 15_000, segment: 1000);
        HashSet<ulong> counters = [];
        lab.Network.Tap = (in UdpEndpoint from, in UdpEndpoint to, ReadOnlySpan<byte> datagram) =>
        {
            if (datagram[0] != 4 || from != a.Endpoint) return;
            Assert.True(counters.Add(BitConverter.ToUInt64(datagram[8..]) ^ BitConverter.ToUInt32(datagram[4..])), "a counter used twice");
            Assert.True(BitConverter.ToUInt64(datagram[8..]) < Timing.RejectAfterMessages);
        };
        // The next handshake is not too close behind the first.
        lab.Advance(TimeSpan.FromSeconds(1));
        a.Tun.Inject(sample.Packet, sample.Header);
        lab.Settle();
        // Fifteen did not fit into ten: all of them went under the next session.
        Assert.NotSame(first, a.PeerOf(b).Keypairs.Current);
        Assert.Equal(sample.Segments, Received(b));
    }

    [Fact]
    public void The_hosts_ecn_mark_is_on_the_outside_and_congestion_on_the_way_comes_in()
    {
        using var lab = new DeviceLab { Offloads = OffloadSet.All };
        var (a, b) = lab.Connected();
        foreach (bool congested in (bool[])[false, true])
        {
            lab.Network.IsCongested = congested;
            for (byte ecn = 0; ecn < 4; ecn++)
            {
                SuperpacketSample sample = SuperpacketSample.Make(_random, isV4: true, isTcp: true, payload: 5000, segment: 1000, ecn: ecn);
                a.Tun.Inject(sample.Packet, sample.Header);
                lab.Settle();
                int expected = congested && ecn != 0 ? 3 : ecn;
                Assert.Equal(Enumerable.Repeat(expected, 5), Received(b).Select(packet => packet[1] & 3));
            }
        }
    }

    [Fact]
    public void A_congestion_mark_on_what_can_not_carry_it_in_is_a_loss()
    {
        using var lab = new DeviceLab();
        var (a, b) = lab.Connected();
        lab.Network.IsCongested = true;
        byte[] message = [];
        lab.Network.Tap = (in UdpEndpoint from, in UdpEndpoint to, ReadOnlySpan<byte> datagram) => message = datagram.ToArray();
        lab.Network.Cut = (in UdpEndpoint from, in UdpEndpoint to) => true;
        a.Send(b);
        lab.Settle();
        lab.Network.Cut = null;
        lab.Network.Carry(a.Endpoint, b.Endpoint, message, ecn: 1);
        lab.Settle();
        Assert.Empty(b.ReceiveAll());
        Assert.Equal(1, b.Device.Drops[DropReason.Congestion]);
    }

    [Fact]
    public void What_the_kernel_calls_a_superpacket_and_is_none_is_dropped_and_counted()
    {
        using var lab = new DeviceLab { Offloads = OffloadSet.All };
        var (a, b) = lab.Connected();
        SuperpacketSample sample = SuperpacketSample.Make(_random, isV4: true, isTcp: true, payload: 5000, segment: 1000);
        a.Tun.Inject(sample.Packet, sample.Header with { GsoType = VirtioNetHeader.GsoUdp });
        a.Tun.Inject(sample.Packet.AsSpan(0, 30), sample.Header);
        lab.Settle();
        Assert.Empty(Received(b));
        Assert.Equal(2, a.Device.Drops[DropReason.OutboundMalformed]);
    }

    [Fact]
    public void Superpackets_allocate_nothing_on_either_path()
    {
        using var lab = new DeviceLab { Offloads = OffloadSet.All };
        var (a, b) = lab.Connected();
        SuperpacketSample tcp = SuperpacketSample.Make(_random, isV4: true, isTcp: true, payload: 60_000, segment: 1368, options: 12);
        SuperpacketSample udp = SuperpacketSample.Make(_random, isV4: true, isTcp: false, payload: 3200, segment: 64);
        int superpackets = 0;
        void Carry(int round)
        {
            a.Tun.Inject(tcp.Packet, tcp.Header);
            a.Tun.Inject(udp.Packet, udp.Header);
            while (a.Device.Queues[0].Outbound.Run()) { }
            while (b.Device.Queues[0].Inbound.Run()) { }
            while (b.Tun.TryTake(_taken, out int _)) superpackets++;
        }
        // Until every buffer of the interface's queues has held the longest.
        for (int i = 0; i < 1100; i++) Carry(i);
        superpackets = 0;
        long allocated = Allocation.Measure(3000, Carry);
        Assert.Equal(0, allocated);
        Assert.InRange(superpackets, 2 * 3300, 3 * 3300);
    }

    [Theory]
    [InlineData(OffloadSet.None)]
    [InlineData(OffloadSet.UdpGso | OffloadSet.UdpGro)]
    public void An_inbound_batch_is_about_64_datagrams_however_many_come_to_a_slot(OffloadSet offloads)
    {
        using var lab = new DeviceLab { Offloads = offloads };
        var (a, b) = lab.Connected();
        for (int i = 0; i < 512; i++) a.Send(b, length: 1380);
        while (a.Device.Queues[0].Outbound.Run()) { }
        // How full slots come, it learns from the first batch.
        Assert.True(b.Device.Queues[0].Inbound.Run());
        for (int i = 0; i < 512; i++) a.Send(b, length: 1380);
        while (a.Device.Queues[0].Outbound.Run()) { }
        List<int> batches = [];
        while (b.Device.Queues[0].Inbound.Run()) batches.Add(b.Device.Queues[0].Inbound.Datagrams);
        Assert.InRange(batches.Sum(), 512, 1024);
        Assert.All(batches, datagrams => Assert.InRange(datagrams, 1, 64));
    }

    private List<byte[]> Received(LabNode node)
    {
        List<byte[]> all = [];
        while (node.Tun.TryTake(_taken, out int length, out VirtioNetHeader header)) all.AddRange(PlainOffload.AsReceived(_taken[..length], header));
        return all;
    }
}
