using Mesh.Node.Device;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Tests.Device;

public sealed class LoadTests : IDisposable
{
    private readonly DeviceLab _lab = new();
    private readonly FakeUdpTransport _stranger;
    private readonly List<(UdpEndpoint To, byte[] Datagram)> _wire = [];

    public LoadTests()
    {
        _stranger = _lab.Network.Attach(4444, System.Net.IPAddress.Parse("198.51.100.1"));
        _lab.Network.Tap = (in UdpEndpoint _, in UdpEndpoint to, ReadOnlySpan<byte> datagram) => _wire.Add((to, datagram.ToArray()));
    }

    public void Dispose()
    {
        _stranger.Dispose();
        _lab.Dispose();
    }

    [Fact]
    public void Under_load_an_initiator_is_sent_a_cookie_and_admitted_when_it_comes_back_with_it()
    {
        var (a, b) = _lab.Pair();
        Flood(b);
        byte[] sent = a.Send(b);
        a.Device.Queues[0].Outbound.Run();
        a.Device.Control.Run();
        b.Device.Queues[0].Inbound.Run();
        b.Device.Control.Run();
        Assert.Equal(1, b.Device.Drops[DropReason.CookieAsked]);
        Assert.Equal((byte)3, _wire[^1].Datagram[0]);
        Assert.Equal(CookieReplyLayout.Length, _wire[^1].Datagram.Length);
        Assert.Equal(a.Endpoint, _wire[^1].To);
        _lab.Settle();
        Assert.Null(b.Receive());

        _lab.Advance(TimeSpan.FromSeconds(4.9));
        Flood(b);
        _lab.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(sent, b.Receive());
        byte[] second = _wire.Last(datagram => datagram.Datagram[0] == 1 && datagram.Datagram[^1] != 0).Datagram;
        Assert.True(second.AsSpan(InitiationLayout.Mac2).IndexOfAnyExcept((byte)0) >= 0);
    }

    [Fact]
    public void Outbound_tells_whether_it_took_all_that_waited()
    {
        var (a, b) = _lab.Pair();
        for (int i = 0; i < 300; i++) a.Send(b);
        Assert.True(a.Device.Queues[0].Outbound.Run());
        Assert.False(a.Device.Queues[0].Outbound.TookAll);
        Assert.True(a.Device.Queues[0].Outbound.Run());
        Assert.True(a.Device.Queues[0].Outbound.TookAll);
    }

    [Fact]
    public void A_cookie_reply_that_answers_nothing_we_sent_is_dropped()
    {
        var (a, b) = _lab.Pair();
        Flood(b);
        a.Send(b);
        a.Device.Queues[0].Outbound.Run();
        a.Device.Control.Run();
        b.Device.Queues[0].Inbound.Run();
        b.Device.Control.Run();
        byte[] reply = _wire[^1].Datagram;
        reply[40] ^= 1;
        _stranger.Send(reply, a.Endpoint);
        _lab.Settle();
        Assert.Equal(1, a.Device.Drops[DropReason.CookieInvalid]);
        reply[CookieReplyLayout.Receiver] ^= 1;
        _stranger.Send(reply, a.Endpoint);
        _lab.Settle();
        Assert.Equal(1, a.Device.Drops[DropReason.UnknownIndex]);
    }

    [Fact]
    public void Without_load_no_cookie_is_asked_for()
    {
        var (a, b) = _lab.Pair();
        byte[] sent = a.Send(b);
        _lab.Settle();
        Assert.Equal(sent, b.Receive());
        Assert.Equal(0, b.Device.Drops[DropReason.CookieAsked]);
    }

    [Fact]
    public void A_source_may_send_five_at_once_and_twenty_a_second_and_ipv6_counts_by_its_64()
    {
        var rates = new SourceRates();
        UdpEndpoint first = UdpEndpoint.Parse("[2001:db8::1]:1"), neighbour = UdpEndpoint.Parse("[2001:db8::ffff:2]:7"), other = UdpEndpoint.Parse("[2001:db8:0:1::1]:1");
        int admitted = 0;
        for (int i = 0; i < 10; i++) admitted += rates.TryTake(i % 2 == 0 ? first : neighbour, 1) ? 1 : 0;
        Assert.Equal(Timing.SourceBurst, admitted);
        Assert.True(rates.TryTake(other, 1));
        for (int i = 1; i <= 1000; i++) admitted += rates.TryTake(first, 1 + i * TimeSpan.TicksPerMillisecond * 2) ? 1 : 0;
        Assert.InRange(admitted, Timing.SourceBurst + 2 * Timing.SourceMessagesPerSecond - 1, Timing.SourceBurst + 2 * Timing.SourceMessagesPerSecond + 1);
    }

    [Fact]
    public void No_more_sources_are_remembered_than_there_is_room_for_and_they_are_forgotten()
    {
        var rates = new SourceRates();
        for (uint i = 0; i < Timing.SourcesRemembered; i++) Assert.True(rates.TryTake(UdpEndpoint.IPv4(i + 1, 1), 1));
        Assert.False(rates.TryTake(UdpEndpoint.IPv4(0xffffffff, 1), 1));
        Assert.True(rates.TryTake(UdpEndpoint.IPv4(0xffffffff, 1), 1 + 2 * TimeSpan.TicksPerSecond));
    }

    /// <summary>More messages at once than are looked at in time, from someone who does not know the device's key.</summary>
    private void Flood(LabNode node)
    {
        byte[] junk = new byte[InitiationLayout.Length];
        junk[0] = 1;
        for (int i = 0; i < Timing.LoadedQueue + 20; i++) _stranger.Send(junk, node.Endpoint);
        while (node.Device.Queues[0].Inbound.Run()) { }
        node.Device.Control.Run();
    }
}
