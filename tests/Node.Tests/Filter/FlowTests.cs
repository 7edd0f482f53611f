using System.Net;
using Mesh.Node.Device;
using Mesh.Node.Filter;
using Mesh.Protocol.Control;
using static Mesh.Node.Tests.Filter.FilterMaps;
using static Mesh.Node.Tests.Filter.PacketWriter;

namespace Mesh.Node.Tests.Filter;

/// <summary>Replies to what this node began, and nothing that would ride on them.</summary>
public sealed class FlowTests
{
    private readonly ManualTime _time = new();

    private PacketProbe Probe(params FilterRule[] rules) => new(Map(rules), _time);

    [Fact]
    public void A_connection_that_this_node_began_is_answered_and_no_other()
    {
        using var probe = Probe();
        Assert.Null(probe.Send(TcpPacket(Us, V4(1), 5000, 22, Syn)));
        Assert.Null(probe.Receive(1, TcpPacket(V4(1), Us, 22, 5000, Syn | Ack)));
        Assert.Null(probe.Receive(1, TcpPacket(V4(1), Us, 22, 5000, Ack, 100)));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, TcpPacket(V4(1), Us, 23, 5000, Ack)));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, TcpPacket(V4(1), Us, 22, 5001, Ack)));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, TcpPacket(V4(1), BehindSelf, 22, 5000, Ack)));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(2, TcpPacket(V4(2), Us, 22, 5000, Ack)));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, UdpPacket(V4(1), Us, 22, 5000)));
    }

    [Fact]
    public void An_opening_segment_never_rides_on_a_connection_of_ours()
    {
        using var probe = Probe();
        probe.Send(TcpPacket(Us, V4(1), 5000, 22, Syn));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, TcpPacket(V4(1), Us, 22, 5000, Syn)));
    }

    [Fact]
    public void A_peers_running_connection_ends_with_its_right_and_our_half_does_not_revive_it()
    {
        using var probe = Probe(Rule([1], ports: [Port(22)]));
        Assert.Null(probe.Receive(1, TcpPacket(V4(1), Us, 4000, 22, Syn)));
        Assert.Null(probe.Send(TcpPacket(Us, V4(1), 22, 4000, Syn | Ack)));
        Assert.Null(probe.Receive(1, TcpPacket(V4(1), Us, 4000, 22, Ack)));
        probe.Apply(Map());
        Assert.Null(probe.Send(TcpPacket(Us, V4(1), 22, 4000, Ack, 100)));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, TcpPacket(V4(1), Us, 4000, 22, Ack)));
    }

    [Theory]
    [InlineData(PacketWriter.UdpProtocol)]
    [InlineData(PacketWriter.SctpProtocol)]
    [InlineData(47)]
    public void A_peers_running_flow_without_connections_ends_with_its_right_and_our_answers_do_not_make_it_ours(byte protocol)
    {
        using var probe = Probe(Rule([1], [protocol]));
        byte[] question = Opening(V4(1), Us, protocol, 53, 4000), answer = Opening(Us, V4(1), protocol, 4000, 53);
        Assert.Null(probe.Receive(1, question));
        Assert.Null(probe.Send(answer));
        probe.Apply(Map());
        for (int i = 0; i < 10; i++)
        {
            Assert.Null(probe.Send(answer)); // our host does not know, and goes on
            Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, question));
            _time.Advance(TimeSpan.FromMinutes(1));
        }
    }

    [Fact]
    public void What_this_node_began_goes_on_when_the_peers_own_right_is_taken_away()
    {
        using var probe = Probe(Rule([1]));
        probe.Send(UdpPacket(Us, V4(1), 5000, 53));
        Assert.Null(probe.Receive(1, UdpPacket(V4(1), Us, 53, 5000)));
        probe.Apply(Map());
        Assert.Null(probe.Receive(1, UdpPacket(V4(1), Us, 53, 5000)));
    }

    [Fact]
    public void Only_our_own_packets_keep_a_flow_alive()
    {
        using var probe = Probe();
        probe.Send(UdpPacket(Us, V4(1), 5000, 53));
        for (int i = 0; i < 17; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(10));
            Assert.Null(probe.Receive(1, UdpPacket(V4(1), Us, 53, 5000)));
        }
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, UdpPacket(V4(1), Us, 53, 5000)));
        for (int i = 0; i < 100; i++)
        {
            probe.Send(UdpPacket(Us, V4(1), 5000, 53));
            _time.Advance(TimeSpan.FromSeconds(100));
            Assert.Null(probe.Receive(1, UdpPacket(V4(1), Us, 53, 5000)));
        }
    }

    public static TheoryData<byte[], double> TcpTimes => new()
    {
        { [Syn], 4 }, { [Syn, Ack], 24 * 60 }, { [Syn, Ack, Fin | Ack], 4 }, { [Syn, Ack, Fin | Ack, Ack], 4 }, { [Syn, Rst], 1 / 6.0 },
        { [Syn, Ack, Rst, Ack], 1 / 6.0 }, { [Syn, Ack, Fin | Ack, Syn], 4 }, { [Syn, Ack, Rst, Syn, Ack], 24 * 60 },
    };

    [Theory]
    [MemberData(nameof(TcpTimes))]
    public void A_connection_lasts_as_long_as_its_state_says(byte[] ours, double minutes)
    {
        using var probe = Probe();
        foreach (byte flags in ours) Assert.Null(probe.Send(TcpPacket(Us, V4(1), 5000, 22, flags)));
        byte[] reply = TcpPacket(V4(1), Us, 22, 5000, Ack);
        _time.Advance(TimeSpan.FromMinutes(minutes) - TimeSpan.FromSeconds(1));
        Assert.Null(probe.Receive(1, reply));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, reply));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_peers_reset_closes_a_connection_of_ours(bool aRuleLetsThePeerIn)
    {
        using var probe = Probe(aRuleLetsThePeerIn ? [Rule([1])] : []);
        foreach (byte flags in (byte[])[Syn, Ack]) probe.Send(TcpPacket(Us, V4(1), 5000, 22, flags));
        Assert.Null(probe.Receive(1, TcpPacket(V4(1), Us, 22, 5000, Rst)));
        probe.Apply(Map());
        Assert.Null(probe.Receive(1, TcpPacket(V4(1), Us, 22, 5000, Ack)));
        _time.Advance(TimeSpan.FromSeconds(5));
        probe.Send(TcpPacket(Us, V4(1), 5000, 22, Ack));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, TcpPacket(V4(1), Us, 22, 5000, Ack)));
    }

    [Fact]
    public void Flows_die_when_the_peer_leaves_the_map_and_stay_dead_when_it_comes_back()
    {
        using var probe = Probe();
        probe.Send(TcpPacket(Us, V4(1), 5000, 22, Syn));
        probe.Apply(Map(NewSnapshot([NewPeer(2)], [])));
        probe.Apply(Map());
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, TcpPacket(V4(1), Us, 22, 5000, Ack)));
    }

    [Fact]
    public void Flows_outlive_the_peers_keys_class_and_rights()
    {
        using var probe = Probe(Rule([1]));
        probe.Send(TcpPacket(Us, V4(1), 5000, 22, Syn));
        var changed = NewPeer(1);
        (changed.NodeKey, changed.PreviousNodeKey, changed.ClassId, changed.OwnerId) = (Control.MapSamples.Key(77), Control.MapSamples.Key(1), 70, 3);
        probe.Apply(Map(NewSnapshot([changed], [])));
        Assert.Null(probe.Receive(1, TcpPacket(V4(1), Us, 22, 5000, Ack)));
    }

    [Fact]
    public void An_echo_is_answered_under_its_identifier_and_asked_only_by_rule()
    {
        using var probe = Probe();
        foreach (var (from, to) in ((IPAddress, IPAddress)[])[(Us, V4(1)), (Us6, V6(1))])
        {
            Assert.Null(probe.Send(EchoRequest(from, to, 7)));
            Assert.Null(probe.Receive(1, EchoReply(to, from, 7)));
            Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, EchoReply(to, from, 8)));
            Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, EchoRequest(to, from, 7)));
        }
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, EchoReply(V4(1), Us, 7)));
    }

    [Fact]
    public void Too_big_reaches_a_connection_that_this_node_began_from_the_peer_and_from_routers_behind_it()
    {
        using var probe = Probe();
        byte[] v4 = TcpPacket(Us, BehindThree, 5000, 22, Syn), v6 = UdpPacket(Us6, IPAddress.Parse("fd07::9"), 5000, 53);
        Assert.Null(probe.Send(v4));
        Assert.Null(probe.Send(v6));
        Assert.Null(probe.Receive(3, TooBig(BehindThree, Us, v4)));
        Assert.Null(probe.Receive(3, TooBig(new IPAddress([10, 7, 0, 1]), Us, v4, quoted: 28)));
        Assert.Null(probe.Receive(3, TooBig(V6(3), Us6, v6)));
        Assert.Null(probe.Receive(3, IcmpPacket(V4(3), Us, 11, 0, [0, 0, 0, 0, .. v4])));
    }

    [Fact]
    public void Too_big_reaches_our_half_of_a_connection_that_a_rule_lets_the_peer_begin()
    {
        using var probe = Probe(Rule([1], [TcpProtocol], [Port(22)]));
        Assert.Null(probe.Receive(1, TooBig(V4(1), Us, TcpPacket(Us, V4(1), 22, 4000, Ack, 1000))));
        Assert.Equal(DropReason.PolicyIcmp, probe.Receive(1, TooBig(V4(1), Us, TcpPacket(Us, V4(1), 23, 4000, Ack, 1000))));
    }

    [Fact]
    public void IcmpProtocol_errors_about_nothing_that_was_sent_are_dropped_whatever_the_rules()
    {
        using var probe = Probe(Rule([1, 3]));
        byte[] ours = TcpPacket(Us, V4(1), 5000, 22, Syn);
        probe.Send(ours);
        byte[][] wrong =
        [
            TooBig(V4(1), BehindSelf, ours), // to another than sent it
            TooBig(V4(1), Us, TcpPacket(Us, V4(3), 5000, 22, Syn)), // about another peer's flow
            TooBig(V4(1), Us, TcpPacket(V4(1), Us, 22, 5000, Syn)), // about the peer's own packet
            TooBig(V4(1), Us, ours, quoted: 27), // about the beginning of nothing
            TooBig(V4(1), Us, TooBig(Us, V4(1), ours)), // about an error
            TooBig(V4(1), Us, Fragment(TcpPacket(Us, V4(1), 5000, 22, Ack, 100), 7, 64, 32, more: true)), // about what has no ports
            TooBig(V4(1), Us, EchoRequest(Us, V4(1), 9)), // about an echo that was not sent
            IcmpPacket(V4(1), Us, 5, 1, [10, 0, 0, 1, .. ours]), // a redirect
            IcmpPacket(V4(1), Us, 4, 0, [0, 0, 0, 0, .. ours]), // source quench
            IcmpPacket(V6(1), Us6, 134, 0, new byte[20]), // a router's advertisement
            IcmpPacket(V6(1), Us6, 137, 0, new byte[40]),
        ];
        Assert.All(wrong, packet => Assert.Equal(DropReason.PolicyIcmp, probe.Receive(1, packet)));
        Assert.Equal(DropReason.PolicyIcmp, probe.Receive(3, TooBig(V4(3), Us, ours))); // not from where the flow leads
        Assert.Equal(DropReason.PolicyIcmp, probe.Receive(1, Fragment(TooBig(V4(1), Us, ours, quoted: 40), 3, 0, 40, more: true)));
    }

    [Fact]
    public void A_plain_wireguard_peer_gets_what_a_rule_lets_out_and_answers_and_nothing_else()
    {
        using var probe = new PacketProbe(Map([Rule([4], ports: [Port(22)])], [Rule([4], [TcpProtocol], [Port(443)])]), _time);
        Assert.Null(probe.Send(TcpPacket(Us, V4(4), 5000, 443, Syn)));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(TcpPacket(Us, V4(4), 5000, 80, Syn)));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(UdpPacket(Us, V4(4), 5000, 443)));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(TcpPacket(BehindSelf, V4(4), 5000, 443, Syn)));
        Assert.Null(probe.Receive(4, TcpPacket(V4(4), Us, 443, 5000, Ack)));
        // What the peer began.
        Assert.Null(probe.Receive(4, TcpPacket(V4(4), Us, 4000, 22, Syn)));
        Assert.Null(probe.Send(TcpPacket(Us, V4(4), 22, 4000, Syn | Ack)));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(TcpPacket(Us, V4(4), 22, 4000, Syn)));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(UdpPacket(Us, V4(4), 22, 4000)));
        Assert.Null(probe.Receive(4, UdpPacket(V4(4), Us, 4000, 22)));
        Assert.Null(probe.Send(UdpPacket(Us, V4(4), 22, 4000)));
        Assert.Null(probe.Send(TooBig(Us, V4(4), UdpPacket(V4(4), Us, 4000, 22))));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(TooBig(Us, V4(4), UdpPacket(V4(4), Us, 4000, 23))));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(EchoRequest(Us, V4(4), 1)));
        Assert.Null(probe.Receive(4, EchoRequest(V4(4), Us, 1)));
        Assert.Null(probe.Send(EchoReply(Us, V4(4), 1)));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(EchoReply(Us, V4(4), 2)));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(WithOptions(TcpPacket(Us, V4(4), 5000, 443, Syn), 131, 4, 4, 0)));
        // Rights that go end what runs, in both directions.
        probe.Apply(Map());
        Assert.Equal(DropReason.PolicyEgress, probe.Send(TcpPacket(Us, V4(4), 22, 4000, Ack)));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(UdpPacket(Us, V4(4), 22, 4000)));
        Assert.Equal(DropReason.PolicyEgress, probe.Send(TcpPacket(Us, V4(4), 5000, 443, Ack)));
    }

    [Fact]
    public void A_flood_of_new_flows_forgets_the_short_lived_and_keeps_connections()
    {
        using var probe = Probe();
        foreach (byte flags in (byte[])[Syn, Ack]) probe.Send(TcpPacket(Us, V4(1), 5000, 22, flags));
        for (int i = 0; i < Flows.OwnCapacity * 2; i++) probe.Send(UdpPacket(Us, V4(2), i & 0xffff, 1 + (i >> 16)));
        Assert.True(probe.Filter.Evictions > Flows.OwnCapacity / 2);
        Assert.Null(probe.Receive(1, TcpPacket(V4(1), Us, 22, 5000, Ack)));
        Assert.Null(probe.Receive(2, UdpPacket(V4(2), Us, 2, 0xffff))); // the newest
    }

    [Fact]
    public void A_peer_that_floods_pushes_out_no_flow_of_ours()
    {
        using var probe = Probe(Rule([2]));
        probe.Send(UdpPacket(Us, V4(1), 5000, 53));
        for (int i = 0; i < Flows.PeersCapacity * 2; i++) probe.Receive(2, UdpPacket(V4(2), Us, i & 0xffff, 1 + (i >> 16)));
        Assert.True(probe.Filter.Evictions > 0);
        Assert.Null(probe.Receive(1, UdpPacket(V4(1), Us, 53, 5000)));
    }
}
