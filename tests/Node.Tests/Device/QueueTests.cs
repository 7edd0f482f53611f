using System.Net;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Device;

/// <summary>A device of several queues: what is shared between their paths holds when all of them run at once.</summary>
public sealed class QueueTests
{
    private const int Rounds = 2_000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_message_that_comes_over_two_queues_at_once_is_accepted_once(bool isV6)
    {
        using var lab = new DeviceLab { Queues = 2 };
        var (a, b) = lab.Pair();
        if (isV6) a.Device.SetEndpoint(a.PeerOf(b), UdpEndpoint.From(b.Underlay6, 51820));
        a.Send(b);
        lab.Settle();
        Assert.NotNull(b.Receive());
        Assert.Equal(isV6 ? UdpFamily.IPv6 : UdpFamily.IPv4, b.PeerOf(a).Endpoint!.Value.Family);
        int arrivals = 0;
        b.Udp.Steer = _ => arrivals++ % 2;
        lab.Network.Duplication = 1;
        const int batch = 32;
        byte[] packet = LabNode.Packet(a.Inner, b.Inner, 60, 3), taken = new byte[100];
        int delivered = 0;
        using var both = new ThreadsAtOnce(b.Device.Queues[0].Inbound.Run, b.Device.Queues[1].Inbound.Run);
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < batch; i++) Assert.True(a.Tun.Inject(packet));
            while (a.Device.Queues[0].Outbound.Run()) { }
            both.RunAtOnce();
            while (b.Tun.TryTake(taken, out _)) delivered++;
        }
        Assert.Equal(2 * batch * Rounds, arrivals);
        Assert.Equal(batch * Rounds, delivered);
        Assert.Equal(batch * Rounds, b.Device.Drops[DropReason.Replayed]);
    }

    [Fact]
    public void Paths_that_seal_at_once_never_take_the_same_counter()
    {
        using var lab = new DeviceLab { Queues = 2 };
        var (a, b) = lab.Connected();
        byte[] taken = new byte[100];
        int delivered = 0;
        using var both = new ThreadsAtOnce(a.Device.Queues[0].Outbound.Run, a.Device.Queues[1].Outbound.Run);
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < 64; i++) Assert.True(a.Tun.Inject(LabNode.Packet(a.Inner, b.Inner, 60, (byte)i), default, queue: i % 2));
            both.RunAtOnce();
            while (b.Device.Queues[0].Inbound.Run() | b.Device.Queues[1].Inbound.Run()) { }
            while (b.Tun.TryTake(taken, out _)) delivered++;
        }
        // One that was taken twice would have been dropped as a replay.
        Assert.Equal(64 * Rounds, delivered);
        Assert.Equal((ulong)(64 * Rounds) + 1, a.PeerOf(b).Keypairs.Current!.SentMessages);
    }

    [Fact]
    public void Counters_that_two_paths_take_in_at_once_are_accepted_by_one_of_them()
    {
        const int groups = 2_000_000, group = 16;
        var keypair = new Keypair(null!, isInitiator: true, remoteIndex: 1, createdAt: 1);
        byte[] times = new byte[groups * group];
        void Path()
        {
            var packets = new AeadPacket[group];
            for (int first = 0; first < times.Length; first += group)
            {
                for (int i = 0; i < group; i++) (packets[i].Counter, packets[i].IsAuthentic) = ((ulong)(first + i), true);
                uint accepted = keypair.Accept(packets, out _);
                for (int i = 0; i < group; i++)
                    if ((accepted >> i & 1) != 0) times[first + i]++;
            }
        }
        ThreadsAtOnce.Run(Path, Path);
        Assert.Equal(-1, times.AsSpan().IndexOfAnyExcept((byte)1));
    }

    [Fact]
    public void Counters_that_two_paths_take_to_send_under_are_all_different()
    {
        const int count = 10_000_000;
        var keypair = new Keypair(null!, isInitiator: true, remoteIndex: 1, createdAt: 1);
        void Take()
        {
            for (int i = 0; i < count; i++) keypair.TakeCounter();
        }
        ThreadsAtOnce.Run(Take, Take);
        // Where two took the same, it was counted once.
        Assert.Equal(2UL * count, keypair.SentMessages);
    }

    [Fact]
    public void A_session_ends_at_its_last_counter_however_many_paths_ask_for_more()
    {
        var keypair = new Keypair(null!, isInitiator: true, remoteIndex: 1, createdAt: 1);
        keypair.ExpireSending();
        keypair.TakeCounters(-1000);
        long taken = 0;
        // Asked for far more, and more often, than the counters that are left up to where they would begin anew.
        ThreadsAtOnce.Run([.. Enumerable.Range(1, 4).Select(i => (Action)(() =>
        {
            for (int n = 0; n < 10_000; n++)
                if (keypair.TakeCounters(i * 7) != ulong.MaxValue) Interlocked.Add(ref taken, i * 7);
        }))]);
        Assert.Equal(Timing.RejectAfterMessages - 1000 + (ulong)taken, keypair.SentMessages);
        Assert.InRange(taken, 994, 1000);
        Assert.Equal(ulong.MaxValue, keypair.TakeCounters(7));
    }

    [Fact]
    public void What_two_queues_bring_first_of_a_session_has_it_used_for_sending()
    {
        using var lab = new DeviceLab { Queues = 2 };
        var (a, b) = lab.Pair();
        int arrivals = 0;
        b.Udp.Steer = _ => arrivals++ % 2;
        for (int session = 0; session < 50; session++)
        {
            a.Device.RequestHandshake(a.PeerOf(b));
            a.Device.Queues[0].Outbound.Run();
            a.Device.Control.Run();
            while (b.Device.Queues[0].Inbound.Run() | b.Device.Queues[1].Inbound.Run()) { }
            b.Device.Control.Run();
            // The response makes the session; a tells so by an empty message, and sends a packet right behind it.
            a.Device.Queues[0].Inbound.Run();
            a.Device.Control.Run();
            Keypair next = Assert.IsType<Keypair>(b.Device.Indices.Find(a.PeerOf(b).Keypairs.Current!.RemoteIndex));
            Assert.True(b.PeerOf(a).Keypairs.IsNext(next));
            a.Send(b);
            a.Device.Queues[0].Outbound.Run();
            using (var both = new ThreadsAtOnce(b.Device.Queues[0].Inbound.Run, b.Device.Queues[1].Inbound.Run)) both.RunAtOnce();
            Assert.Same(next, b.PeerOf(a).Keypairs.Current);
            Assert.NotNull(b.Receive());
            lab.Advance(TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    public void What_waited_in_another_queue_while_the_peer_moved_does_not_lead_back()
    {
        using var lab = new DeviceLab { Queues = 2 };
        var (a, b) = lab.Pair();
        a.Send(b);
        lab.Settle();
        b.Udp.Steer = from => from.Port == 51820 ? 0 : 1;
        a.Send(b);
        a.Device.Queues[0].Outbound.Run();
        a.Udp.ChangePort(4000);
        a.Send(b);
        a.Device.Queues[0].Outbound.Run();
        Assert.True(b.Device.Queues[1].Inbound.Run());
        Assert.True(b.Device.Queues[0].Inbound.Run());
        Assert.Equal(3, b.ReceiveAll().Count);
        Assert.Equal(4000, b.PeerOf(a).Endpoint!.Value.Port);
    }

    [Fact]
    public void Packets_of_several_queues_sealed_sent_received_opened_and_written_allocate_nothing()
    {
        using var lab = new DeviceLab { Queues = 3 };
        var (a, b) = lab.Connected();
        int arrivals = 0;
        b.Udp.Steer = _ => arrivals++ % 3;
        byte[] packet = LabNode.Packet(a.Inner, b.Inner, 1420, 1), taken = new byte[2048];
        int delivered = 0;
        long allocated = Allocation.Measure(20_000, _ =>
        {
            for (int i = 0; i < 3; i++) a.Tun.Inject(packet, default, i);
            for (int i = 0; i < 3; i++) a.Device.Queues[i].Outbound.Run();
            for (int i = 0; i < 3; i++) b.Device.Queues[i].Inbound.Run();
            while (b.Tun.TryTake(taken, out int _)) delivered++;
        });
        Assert.Equal(3 * 22_000, delivered);
        Assert.Equal(0, allocated);
    }

    [Fact]
    public void An_interface_and_an_underlay_of_different_numbers_of_queues_are_refused()
    {
        using var tun = new Node.Tun.FakeTun(queues: 2);
        using var udp = new FakeUdpNetwork().Attach(1, IPAddress.Loopback);
        var clock = new ManualTime();
        Assert.Throws<ArgumentException>(() => new WireGuardDevice(new DeviceOptions(tun, udp, clock, new InitiationClock(clock))));
    }
}
