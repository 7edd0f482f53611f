using System.Net;
using Google.Protobuf;
using Mesh.Node.Daemon;
using Mesh.Node.Device;
using Mesh.Node.Filter;
using Mesh.Protocol.Control;
using static Mesh.Node.Tests.Filter.FilterMaps;
using static Mesh.Node.Tests.Filter.PacketWriter;

namespace Mesh.Node.Tests.Filter;

/// <summary>What rules let in, and what they do not.</summary>
public sealed class PolicyFilterTests
{
    private readonly ManualTime _time = new();

    private PacketProbe Probe(params FilterRule[] rules) => new(Map(rules), _time);

    [Fact]
    public void Without_a_rule_nothing_comes_in()
    {
        using var probe = Probe();
        foreach (byte protocol in (byte[])[TcpProtocol, UdpProtocol, IcmpProtocol, SctpProtocol, 47]) Assert.False(probe.Accepts(V4(1), Us, protocol, 22));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, TcpPacket(V4(1), Us, 4000, 22, Syn)));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, TcpPacket(V4(1), Us, 4000, 22, Ack)));
    }

    [Fact]
    public void A_rule_lets_in_the_classes_it_names_and_no_other()
    {
        using var probe = Probe(Rule([1, 3]));
        Assert.True(probe.Accepts(V4(1), Us, TcpProtocol, 22));
        Assert.True(probe.Accepts(V6(3), Us6, UdpProtocol, 53));
        Assert.False(probe.Accepts(V4(2), Us, TcpProtocol, 22));
    }

    [Fact]
    public void Class_0_is_no_class_whatever_a_rule_says()
    {
        var peer = NewPeer(1);
        peer.ClassId = 0;
        using var probe = new PacketProbe(Map(NewSnapshot([peer], [Rule([0, 1])])), _time);
        Assert.False(probe.Accepts(V4(1), Us, TcpProtocol, 22));
    }

    [Fact]
    public void A_rule_without_protocols_means_tcp_udp_and_icmp()
    {
        using var probe = Probe(Rule([1]));
        foreach (byte protocol in (byte[])[TcpProtocol, UdpProtocol, IcmpProtocol]) Assert.True(probe.Accepts(V4(1), Us, protocol, 1));
        Assert.True(probe.Accepts(V6(1), Us6, IcmpV6Protocol, 0));
        foreach (byte protocol in (byte[])[SctpProtocol, 47, 50, 51, 4, 41, 135]) Assert.False(probe.Accepts(V4(1), Us, protocol, 1));
    }

    [Fact]
    public void Ports_bound_protocols_that_have_them_and_no_other()
    {
        using var probe = Probe(Rule([1], [TcpProtocol, UdpProtocol, IcmpProtocol, SctpProtocol, 47], [Port(22), Port(80, 90), Port(85, 100), Port(101)]));
        foreach (byte protocol in (byte[])[TcpProtocol, UdpProtocol, SctpProtocol])
        {
            foreach (int port in (int[])[22, 80, 90, 95, 100, 101]) Assert.True(probe.Accepts(V4(1), Us, protocol, port));
            foreach (int port in (int[])[0, 21, 23, 79, 102, 65535]) Assert.False(probe.Accepts(V4(1), Us, protocol, port));
        }
        Assert.True(probe.Accepts(V4(1), Us, IcmpProtocol, 0));
        Assert.True(probe.Accepts(V4(1), Us, 47, 0));
    }

    [Fact]
    public void A_rule_between_nodes_of_one_owner_needs_that_owner()
    {
        var orphan = NewPeer(2);
        var snapshot = NewSnapshot([NewPeer(1), orphan, NewPeer(3)], [Rule([1, 2, 3], self: true)]);
        using var probe = new PacketProbe(Map(snapshot), _time);
        Assert.True(probe.Accepts(V4(1), Us, TcpProtocol, 22));
        Assert.False(probe.Accepts(V4(2), Us, TcpProtocol, 22));
        Assert.False(probe.Accepts(V4(3), Us, TcpProtocol, 22));
        snapshot.Self.OwnerId = 0; // tagged, as peer 2 is: nobody's, and not each other's
        probe.Apply(Map(snapshot));
        Assert.False(probe.Accepts(V4(2), Us, TcpProtocol, 22));
    }

    [Fact]
    public void A_rule_for_one_version_of_ip_says_nothing_of_the_other()
    {
        FilterRule four = Rule([1], ports: [Port(22)]), six = Rule([1], ports: [Port(80)], to: ["fd7a::/64", "100.64.0.0/10"]), strange = Rule([1], ports: [Port(443)]);
        (four.IpVersion, six.IpVersion, strange.IpVersion) = (4, 6, 5);
        using var probe = Probe(four, six, strange);
        Assert.True(probe.Accepts(V4(1), Us, TcpProtocol, 22));
        Assert.False(probe.Accepts(V6(1), Us6, TcpProtocol, 22));
        Assert.False(probe.Accepts(V4(1), Us, TcpProtocol, 80));
        Assert.True(probe.Accepts(V6(1), Us6, TcpProtocol, 80));
        Assert.False(probe.Accepts(V4(1), Us, TcpProtocol, 443));
    }

    [Fact]
    public void Own_addresses_are_meant_unless_a_rule_names_destinations()
    {
        using var probe = Probe(Rule([1], ports: [Port(22)]), Rule([1], ports: [Port(80)], to: ["10.9.0.0/24", "100.64.1.250/32"]));
        Assert.True(probe.Accepts(V4(1), Us, TcpProtocol, 22));
        Assert.True(probe.Accepts(V4(1), Us, TcpProtocol, 80));
        Assert.False(probe.Accepts(V4(1), BehindSelf, TcpProtocol, 22));
        Assert.True(probe.Accepts(V4(1), BehindSelf, TcpProtocol, 80));
        Assert.False(probe.Accepts(V4(1), new IPAddress([10, 9, 1, 1]), TcpProtocol, 80));
        Assert.False(probe.Accepts(V4(1), IPAddress.Broadcast, TcpProtocol, 22));
    }

    [Fact]
    public void Overlapping_destinations_add_up()
    {
        using var probe = Probe(Rule([1], ports: [Port(22)], to: ["10.0.0.0/8"]), Rule([1], ports: [Port(80)], to: ["10.9.0.0/24"]), Rule([1], ports: [Port(53)], to: ["0.0.0.0/0"]));
        foreach (int port in (int[])[22, 53, 80]) Assert.True(probe.Accepts(V4(1), BehindSelf, TcpProtocol, port));
        Assert.False(probe.Accepts(V4(1), BehindSelf, TcpProtocol, 81));
        Assert.True(probe.Accepts(V4(1), new IPAddress([10, 1, 1, 1]), TcpProtocol, 22));
        Assert.False(probe.Accepts(V4(1), new IPAddress([10, 1, 1, 1]), TcpProtocol, 80));
    }

    [Fact]
    public void What_sits_behind_a_router_is_judged_by_its_address_and_not_by_the_routers_class()
    {
        using var probe = Probe(Rule([3], ports: [Port(22)]), Rule([], ports: [Port(80)], from: ["10.7.3.0/24"]));
        Assert.False(probe.Accepts(BehindThree, Us, TcpProtocol, 22));
        Assert.True(probe.Accepts(BehindThree, Us, TcpProtocol, 80));
        Assert.False(probe.Accepts(new IPAddress([10, 7, 4, 4]), Us, TcpProtocol, 80));
        Assert.False(probe.Accepts(V4(3), Us, TcpProtocol, 80));
        // Only who is the router for it: the engine's allowed IPs stand before.
        Assert.Equal(DropReason.InnerSource, probe.Receive(1, TcpPacket(BehindThree, Us, 4000, 80, Syn)));
    }

    [Fact]
    public void A_rule_of_an_unknown_kind_grants_nothing_and_the_rest_applies()
    {
        var strange = Rule([1], ports: [Port(80)]);
        var nested = Rule([1], ports: [Port(81)]);
        var map = Map(NewSnapshot([NewPeer(1)], [WithUnknownField(strange), Rule([1], ports: [Port(22)]), nested]));
        map.Filter.Ingress[2].Ports[0] = PortRange.Parser.ParseFrom([.. nested.Ports[0].ToByteArray(), 0x78, 1]);
        using var probe = new PacketProbe(map, _time);
        Assert.False(probe.Accepts(V4(1), Us, TcpProtocol, 80));
        Assert.False(probe.Accepts(V4(1), Us, TcpProtocol, 81));
        Assert.True(probe.Accepts(V4(1), Us, TcpProtocol, 22));
    }

    [Fact]
    public void A_peer_whose_authorisation_ends_is_cut_off_at_that_moment_without_a_new_map()
    {
        var peer = NewPeer(1);
        peer.ExpiresAtMs = _time.GetUtcNow().AddSeconds(60).ToUnixTimeMilliseconds();
        using var probe = new PacketProbe(Map(NewSnapshot([peer], [Rule([1])])), _time);
        Assert.Null(probe.Send(TcpPacket(Us, V4(1), 5000, 22, Syn)));
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.True(probe.Accepts(V4(1), Us, TcpProtocol, 22));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(DropReason.PolicyPeer, probe.Receive(1, TcpPacket(V4(1), Us, 4000, 22, Syn)));
        Assert.Equal(DropReason.PolicyPeer, probe.Receive(1, TcpPacket(V4(1), Us, 22, 5000, Ack)));
        Assert.Equal(DropReason.PolicyPeer, probe.Send(TcpPacket(Us, V4(1), 5000, 22, Ack)));
    }

    [Fact]
    public void Headers_that_can_not_be_judged_are_refused()
    {
        using var probe = Probe(Rule([1]));
        byte[] tcp = TcpPacket(V4(1), Us, 4000, 22, Syn), tcp6 = TcpPacket(V6(1), Us6, 4000, 22, Syn);
        Assert.Equal(DropReason.PolicyHeaders, probe.Receive(1, Shortened(tcp, 19)));
        Assert.Equal(DropReason.PolicyHeaders, probe.Receive(1, WithOptions(tcp, 131, 4, 4, 0)));
        Assert.Equal(DropReason.PolicyHeaders, probe.Receive(1, WithOptions(tcp, 1, 137, 3, 4)));
        Assert.Equal(DropReason.PolicyHeaders, probe.Receive(1, WithOptions(tcp, 7, 1, 0, 0)));
        Assert.Equal(DropReason.PolicyHeaders, probe.Receive(1, WithExtensions(tcp6, (60, new byte[6]), (0, new byte[6]))));
        Assert.Equal(DropReason.PolicyHeaders, probe.Receive(1, WithExtensions(tcp6, (43, [0, 1, 0, 0, 0, 0]))));
        Assert.Equal(DropReason.PolicyHeaders, probe.Receive(1, WithExtensions(tcp6, [.. Enumerable.Repeat(((byte)60, new byte[6]), 9)])));
        Assert.Equal(DropReason.PolicyHeaders, probe.Receive(1, WithExtensions(tcp6, (44, new byte[6]), (44, new byte[6]))));
        Assert.Equal(DropReason.PolicyHeaders, probe.Receive(1, Ip(V6(1), Us6, 60, [6, 255, 0, 0, 0, 0, 0, 0])));
    }

    [Fact]
    public void A_transport_behind_extension_headers_is_judged_as_if_it_stood_alone()
    {
        using var probe = Probe(Rule([1], ports: [Port(22)]));
        (byte, byte[])[] chain = [(0, new byte[6]), (60, new byte[14]), (43, new byte[6]), (44, new byte[6]), (60, new byte[6])];
        Assert.Null(probe.Receive(1, WithExtensions(TcpPacket(V6(1), Us6, 4000, 22, Syn), chain)));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, WithExtensions(TcpPacket(V6(1), Us6, 4000, 23, Syn), chain)));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, WithExtensions(Ip(V6(1), Us6, 59, []), chain)));
    }

    [Fact]
    public void Drops_are_counted_by_reason_and_peer_and_one_is_kept_as_a_sample()
    {
        using var probe = Probe(Rule([1], ports: [Port(22)]));
        for (int i = 0; i < 3; i++) probe.Receive(1, TcpPacket(V4(1), Us, 4000 + i, 23, Syn));
        probe.Receive(1, WithOptions(TcpPacket(V4(1), Us, 4000, 22, Syn), 131, 4, 4, 0));
        var drops = probe.Filter.View.Find(1)!.Drops;
        Assert.Equal([(DropReason.PolicyDenied, 3L), (DropReason.PolicyHeaders, 1L)], drops.Counts);
        Assert.Empty(probe.Filter.View.Find(2)!.Drops.Counts);
        var (reason, headers) = drops.TakeSample()!.Value;
        Assert.Equal((DropReason.PolicyDenied, "TCP 100.64.1.1:4000 to 100.64.1.250:23"), (reason, Node.Filter.DropLog.Describe(headers)));
        Assert.Null(drops.TakeSample());
        // The counts go on under new rights.
        probe.Apply(Map(Rule([2])));
        probe.Receive(1, TcpPacket(V4(1), Us, 4000, 22, Syn));
        Assert.Equal(5, probe.Filter.View.Find(1)!.Drops.Total);
    }

    [Fact]
    public void A_peer_left_out_of_a_view_may_nothing_and_others_keep_their_rights()
    {
        using var probe = Probe(Rule([1, 2]));
        var view = probe.Filter.View.Without(new HashSet<ulong> { 1 });
        probe.Filter.Enforce(view, _time.GetUtcNow(), 1);
        Assert.Equal(DropReason.PolicyPeer, probe.Receive(1, TcpPacket(V4(1), Us, 4000, 22, Syn)));
        Assert.Equal(DropReason.PolicyPeer, probe.Send(TcpPacket(Us, V4(1), 4000, 22, Syn)));
        Assert.True(probe.Accepts(V4(2), Us, TcpProtocol, 22));
    }

    [Fact]
    public void An_address_that_moves_counts_for_neither_peer_until_the_engine_has_moved_it()
    {
        var (giver, taker, other) = (NewPeer(1), NewPeer(2), NewPeer(3));
        var before = Map(NewSnapshot([giver, taker, other], [Rule([1, 2, 3]), Rule([], ports: [Port(80)], from: ["100.64.1.1/32"])]));
        using var probe = new PacketProbe(before, _time);
        var (less, more) = (giver.Clone(), taker.Clone());
        less.Prefixes.RemoveAt(0);
        more.Prefixes.Add(giver.Prefixes[0]);
        var after = Map(NewSnapshot([less, more, other], before.Filter.Ingress));
        var known = MapToTunnel.Peers(before, _time.GetUtcNow()).ToDictionary(peer => peer.Id);
        var moving = MapToTunnel.Moving(known, MapToTunnel.Peers(after, _time.GetUtcNow()));
        Assert.Equal([1UL, 2], moving.Order().ToArray());
        var view = FilterView.Of(after, probe.Filter.View, _time.GetUtcNow());
        probe.Filter.Enforce(view.Without(moving), _time.GetUtcNow(), 1);
        Assert.Equal(DropReason.PolicyPeer, probe.Receive(1, TcpPacket(V4(1), Us, 4000, 80, Syn))); // whose it still is in the engine
        Assert.True(probe.Accepts(V4(3), Us, TcpProtocol, 22));
        probe.Apply(after);
        Assert.Null(probe.Receive(2, TcpPacket(V4(1), Us, 4000, 22, Syn)));
        Assert.Equal(DropReason.InnerSource, probe.Receive(1, TcpPacket(V4(1), Us, 4000, 80, Syn)));
    }

    private static FilterRule WithUnknownField(FilterRule rule) => FilterRule.Parser.ParseFrom([.. rule.ToByteArray(), 0x78, 1]);

    private static byte[] Shortened(byte[] packet, int transport)
    {
        byte[] cut = packet[..(20 + transport)];
        (cut[2], cut[3]) = (0, (byte)cut.Length);
        return cut;
    }
}
