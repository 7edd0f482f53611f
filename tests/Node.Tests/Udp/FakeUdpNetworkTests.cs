using System.Net;
using Mesh.Node.Kernel;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Udp;

public class FakeUdpNetworkTests
{
    private static readonly IPAddress A4 = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress A6 = IPAddress.Parse("2001:db8::1");
    private static readonly IPAddress B4 = IPAddress.Parse("192.0.2.2");
    private static readonly IPAddress B6 = IPAddress.Parse("2001:db8::2");

    [Fact]
    public void Datagrams_arrive_in_order_with_sender_and_source()
    {
        var network = new FakeUdpNetwork();
        using FakeUdpTransport a = network.Attach(1, A4, A6);
        using FakeUdpTransport b = network.Attach(2, B4, B6);
        using var batch = new UdpReceiveBatch(4, 64);

        Assert.Equal(UdpSendResult.Sent, a.Send([1], UdpEndpoint.From(B4, 2)));
        Assert.Equal(UdpSendResult.Sent, a.Send([2], UdpEndpoint.From(B6, 2)));
        Assert.Equal(2, b.ReceiveBatch(batch));

        Assert.Equal("192.0.2.1:1", batch.Endpoint(0).ToString());
        Assert.Equal("[2001:db8::1]:1", batch.Endpoint(1).ToString());
        Assert.Equal(B4, batch.Endpoint(0).ToSourceAddress());
        Assert.Equal([2], batch.Datagram(1).ToArray());
    }

    [Fact]
    public void A_transport_without_the_family_is_unreachable_and_a_stale_source_is_dropped()
    {
        var network = new FakeUdpNetwork();
        using FakeUdpTransport a = network.Attach(1, A4);

        Assert.Equal(UdpSendResult.Unreachable, a.Send([1], UdpEndpoint.From(B6, 2)));
        Assert.Equal(
            UdpSendResult.SentWithoutSource, a.Send([1], UdpEndpoint.From(B4, 2).WithSource(0, 0x01020304, 1)));
    }

    [Fact]
    public void A_roamed_transport_is_found_at_its_new_address_only()
    {
        var network = new FakeUdpNetwork();
        using FakeUdpTransport a = network.Attach(0, A4);
        using FakeUdpTransport b = network.Attach(0, B4);
        using var batch = new UdpReceiveBatch(4, 64);
        b.Move(B6, IPAddress.Parse("192.0.2.3"));

        a.Send([1], UdpEndpoint.From(B4, b.Port));
        Assert.Equal(0, b.ReceiveBatch(batch));
        a.Send([1], UdpEndpoint.Parse($"192.0.2.3:{b.Port}"));
        Assert.Equal(1, b.ReceiveBatch(batch));
        Assert.Throws<UdpException>(() => network.Attach(b.Port, B6));
    }

    [Fact]
    public void One_seed_gives_one_history_of_faults()
    {
        List<byte> first = Storm(42);

        Assert.Equal(first, Storm(42));
        Assert.NotEqual(first, Storm(43));
        Assert.NotEqual(first.Order(), first);
        Assert.InRange(first.Distinct().Count(), 150, 220);
        Assert.InRange(first.Count - first.Distinct().Count(), 10, 60);
    }

    [Fact]
    public void The_descriptor_polls_readable_exactly_while_a_datagram_waits()
    {
        var network = new FakeUdpNetwork();
        using FakeUdpTransport a = network.Attach(1, A4);
        using var batch = new UdpReceiveBatch(1, 64);
        using var poller = new Poller(1);
        int slot = poller.Watch(a.PollFd4);
        a.Send([1], UdpEndpoint.From(A4, 1));
        a.Send([2], UdpEndpoint.From(A4, 1));

        Assert.True(poller.Wait(0));
        a.ReceiveBatch(batch);
        Assert.True(poller.Wait(0));
        Assert.True(poller.IsReady(slot));
        a.ReceiveBatch(batch);
        Assert.False(poller.Wait(0));
    }

    [Fact]
    public void The_fake_allocates_nothing_once_warm()
    {
        var network = new FakeUdpNetwork { Duplication = 0.1, Loss = 0.1 };
        using FakeUdpTransport a = network.Attach(1, A4);
        using var batch = new UdpReceiveBatch(64, 2048);
        UdpEndpoint to = UdpEndpoint.From(A4, 1);
        byte[] datagram = new byte[1500];

        Assert.Equal(0, Allocation.Measure(10_000, _ =>
        {
            a.Send(datagram, to);
            a.ReceiveBatch(batch);
        }));
    }

    [Fact]
    public void With_a_latency_datagrams_arrive_in_the_order_of_their_times_and_not_before()
    {
        var latencies = new Queue<int>([30, 10, 20]);
        var network = new FakeUdpNetwork { Latency = () => TimeSpan.FromMilliseconds(latencies.Dequeue()) };
        using FakeUdpTransport a = network.Attach(1, A4);
        using FakeUdpTransport b = network.Attach(2, B4);
        using var batch = new UdpReceiveBatch(4, 64);
        network.DeliverDue(TimeSpan.FromSeconds(1));
        foreach (byte i in (byte[])[1, 2, 3]) a.Send([i], UdpEndpoint.From(B4, 2));

        Assert.Equal(TimeSpan.FromMilliseconds(1010), network.NextArrival);
        network.DeliverDue(TimeSpan.FromMilliseconds(1009));
        Assert.Equal(0, b.Waiting);
        network.DeliverDue(TimeSpan.FromMilliseconds(1020));
        Assert.Equal(2, b.Waiting);
        network.DeliverDue(TimeSpan.FromMilliseconds(1030));
        Assert.Equal(3, b.ReceiveBatch(batch));
        Assert.Equal([2, 3, 1], Enumerable.Range(0, 3).Select(i => batch.Datagram(i)[0]));
        Assert.Null(network.NextArrival);
    }

    [Fact]
    public void What_does_not_arrive_is_told_whether_cut_off_or_sent_to_nobody()
    {
        List<byte> lost = [];
        var network = new FakeUdpNetwork
        {
            Cut = static (in UdpEndpoint _, in UdpEndpoint to) => to.Port == 2,
            Lost = (in UdpEndpoint _, in UdpEndpoint _, ReadOnlySpan<byte> datagram) => lost.Add(datagram[0]),
        };
        using FakeUdpTransport a = network.Attach(1, A4);
        using FakeUdpTransport b = network.Attach(2, B4);
        a.Send([1], UdpEndpoint.From(B4, 2));
        a.Send([2], UdpEndpoint.From(B4, 3));
        a.Send([3], UdpEndpoint.From(A4, 1));
        Assert.Equal([1, 2], lost);
    }

    private static List<byte> Storm(int seed)
    {
        var network = new FakeUdpNetwork(seed) { Loss = 0.2, Duplication = 0.1, Reordering = 0.2 };
        using FakeUdpTransport a = network.Attach(1, A4);
        using FakeUdpTransport b = network.Attach(2, B4);
        using var batch = new UdpReceiveBatch(512, 64);
        for (int i = 0; i < 230; i++)
            a.Send([(byte)i], UdpEndpoint.From(B4, 2));
        network.ReleaseHeld();
        b.ReceiveBatch(batch);
        var seen = new List<byte>();
        for (int i = 0; i < batch.Count; i++)
            seen.Add(batch.Datagram(i)[0]);
        return seen;
    }
}
