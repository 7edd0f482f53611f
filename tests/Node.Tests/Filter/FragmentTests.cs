using System.Net;
using Mesh.Node.Device;
using Mesh.Protocol.Control;
using static Mesh.Node.Tests.Filter.FilterMaps;
using static Mesh.Node.Tests.Filter.PacketWriter;

namespace Mesh.Node.Tests.Filter;

/// <summary>Fragments follow the first, and nothing slips by them.</summary>
public sealed class FragmentTests
{
    private readonly ManualTime _time = new();

    public static TheoryData<bool> Families => [false, true];

    private PacketProbe Probe(params FilterRule[] rules) => new(Map(rules), _time);

    private static byte[] Datagram(bool v6, int port, int data = 200) =>
        v6 ? UdpPacket(V6(1), Us6, 4000, port, data) : UdpPacket(V4(1), Us, 4000, port, data);

    private static byte[] Segment(bool v6, int port, byte flags, int data = 200) =>
        v6 ? TcpPacket(V6(1), Us6, 4000, port, flags, data) : TcpPacket(V4(1), Us, 4000, port, flags, data);

    [Theory]
    [MemberData(nameof(Families))]
    public void Fragments_follow_the_verdict_on_their_first(bool v6)
    {
        using var probe = Probe(Rule([1], ports: [Port(53)]));
        Assert.All(Split(Datagram(v6, 53), 7, 64), part => Assert.Null(probe.Receive(1, part)));
        Assert.All(Split(Datagram(v6, 54), 8, 64), part => Assert.NotNull(probe.Receive(1, part)));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void A_fragmented_reply_to_a_flow_of_ours_comes_in(bool v6)
    {
        using var probe = Probe();
        Assert.Null(probe.Send(v6 ? UdpPacket(Us6, V6(1), 53, 4000) : UdpPacket(Us, V4(1), 53, 4000)));
        Assert.All(Split(Datagram(v6, 53), 7, 64), part => Assert.Null(probe.Receive(1, part)));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void A_fragment_before_its_first_of_another_datagram_or_too_late_is_dropped(bool v6)
    {
        using var probe = Probe(Rule([1], ports: [Port(53)]));
        var parts = Split(Datagram(v6, 53), 7, 64);
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, parts[1]));
        Assert.Null(probe.Receive(1, parts[0]));
        Assert.Null(probe.Receive(1, parts[1]));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, Split(Datagram(v6, 53), 8, 64)[1]));
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, parts[2]));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void A_first_fragment_that_leaves_headers_to_the_second_is_refused(bool v6)
    {
        using var probe = Probe(Rule([1]));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, Fragment(Segment(v6, 22, Syn), 7, 0, 8, more: true)));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, Fragment(Segment(v6, 22, Syn), 7, 0, 16, more: true)));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, Fragment(Segment(v6, 22, Syn), 7, 8, 8, more: true)));
        Assert.Null(probe.Receive(1, Fragment(Segment(v6, 22, Syn), 7, 0, 24, more: true)));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void A_later_fragment_that_would_write_over_judged_headers_is_refused(bool v6)
    {
        using var probe = Probe(Rule([1], ports: [Port(22)]));
        Assert.Null(probe.Receive(1, Fragment(Segment(v6, 22, Syn), 7, 0, 64, more: true)));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, Fragment(Segment(v6, 22, Syn), 7, 8, 64, more: true)));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, Fragment(Segment(v6, 22, Syn), 7, 16, 64, more: true)));
        Assert.Null(probe.Receive(1, Fragment(Segment(v6, 22, Syn), 7, 24, 64, more: true)));
    }

    [Fact]
    public void Extension_headers_behind_the_fragment_header_count_as_judged()
    {
        using var probe = Probe(Rule([1], ports: [Port(53)]));
        byte[] packet = WithExtensions(Datagram(v6: true, 53), (60, new byte[22]));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, Fragment(packet, 7, 0, 24, more: true)));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, Fragment(packet, 7, 0, 16, more: true)));
        Assert.Null(probe.Receive(1, Fragment(packet, 7, 0, 40, more: true)));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, Fragment(packet, 7, 24, 8, more: true)));
        Assert.Null(probe.Receive(1, Fragment(packet, 7, 40, 8, more: true)));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void A_second_first_fragment_that_is_refused_ends_the_datagram(bool v6)
    {
        using var probe = Probe(Rule([1], ports: [Port(53)]));
        var parts = Split(Datagram(v6, 53), 7, 64);
        Assert.Null(probe.Receive(1, parts[0]));
        Assert.Equal(DropReason.PolicyDenied, probe.Receive(1, Split(Datagram(v6, 54), 7, 64)[0]));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, parts[1]));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void No_fragment_follows_once_the_right_is_gone(bool v6)
    {
        using var probe = Probe(Rule([1], ports: [Port(53)]));
        var parts = Split(Datagram(v6, 53), 7, 64);
        Assert.Null(probe.Receive(1, parts[0]));
        probe.Apply(Map(Rule([2])));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, parts[1]));
    }

    [Fact]
    public void A_lone_fragment_header_changes_nothing()
    {
        using var probe = Probe(Rule([1], ports: [Port(53)]));
        Assert.Null(probe.Receive(1, Fragment(Datagram(v6: true, 53), 7, 0, 208, more: false)));
        Assert.Equal(DropReason.PolicyFragment, probe.Receive(1, Fragment(Datagram(v6: true, 53), 7, 64, 64, more: false)));
    }

    [Fact]
    public void The_host_may_fragment_what_it_sends_to_a_plain_wireguard_peer()
    {
        using var probe = new PacketProbe(Map([], [Rule([4], [UdpProtocol], [Port(53)])]), _time);
        Assert.All(Split(UdpPacket(Us, V4(4), 5000, 53, 200), 7, 64), part => Assert.Null(probe.Send(part)));
        Assert.All(Split(UdpPacket(Us, V4(4), 5000, 54, 200), 8, 64), part => Assert.Equal(DropReason.PolicyEgress, probe.Send(part)));
        // And what goes to peers that judge for themselves begins a flow.
        Assert.All(Split(UdpPacket(Us, V4(1), 5000, 53, 200), 9, 64), part => Assert.Null(probe.Send(part)));
        Assert.Null(probe.Receive(1, UdpPacket(V4(1), Us, 53, 5000)));
    }

    [Fact]
    public void Datagrams_under_way_are_bounded_and_the_newest_stand()
    {
        using var probe = Probe(Rule([1]));
        for (uint id = 0; id < Mesh.Node.Filter.Fragments.Capacity * 4; id++)
        {
            var parts = Split(Datagram(v6: true, 53), id, 128);
            Assert.Null(probe.Receive(1, parts[0]));
            Assert.Null(probe.Receive(1, parts[1]));
        }
    }
}
