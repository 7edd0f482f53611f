using Google.Protobuf;
using Mesh.Node.Control;
using Mesh.Protocol.Control;

namespace Mesh.Node.Tests.Control;

public sealed class NetworkMapTests
{
    private static NetworkMap Map(params byte[] peers)
    {
        Assert.Equal(MapFault.None, NetworkMap.Create(MapSamples.Snapshot(peers), out var map));
        return map!;
    }

    [Fact]
    public void A_snapshot_becomes_the_map()
    {
        var map = Map(1, 2, 3);
        Assert.Equal([1UL, 2, 3], map.Peers.Keys.Order().ToArray());
        Assert.Equal("self", map.Self.Name);
        Assert.Equal(1UL, map.Head.Position);
    }

    [Fact]
    public void A_map_survives_being_written_and_read()
    {
        var map = Map(1, 2);
        Assert.Equal(MapFault.None, NetworkMap.Create(Snapshot.Parser.ParseFrom(map.ToSnapshot().ToByteArray()), out var read));
        Assert.Equal(map.Peers.OrderBy(pair => pair.Key), read!.Peers.OrderBy(pair => pair.Key));
        Assert.Equal((map.Self, map.Filter, map.Head, map.ResumeToken), (read.Self, read.Filter, read.Head, read.ResumeToken));
    }

    [Fact]
    public void A_delta_removes_adds_replaces_and_notes_presence_in_one_step()
    {
        var delta = MapSamples.Delta(2);
        delta.Removals.Add(1);
        var renamed = MapSamples.Peer(2);
        renamed.Name = "renamed";
        delta.Upserts.Add([renamed, MapSamples.Peer(4)]);
        delta.Presences.Add(MapSamples.Presence(3, online: false));
        Assert.Equal(MapFault.None, Map(1, 2, 3).Apply(delta, out var map));
        Assert.Equal([2UL, 3, 4], map!.Peers.Keys.Order().ToArray());
        Assert.Equal("renamed", map.Peers[2].Name);
        Assert.False(map.Peers[3].Presence.Online);
        Assert.Equal("token-2", map.ResumeToken.ToStringUtf8());
    }

    [Fact]
    public void A_key_and_an_address_may_move_from_one_peer_to_another_within_one_delta()
    {
        var delta = MapSamples.Delta(2);
        var heir = MapSamples.Peer(2);
        heir.NodeKey = MapSamples.Key(1);
        heir.Prefixes.Add(MapSamples.Address(1));
        delta.Removals.Add(1);
        delta.Upserts.Add(heir);
        Assert.Equal(MapFault.None, Map(1, 2).Apply(delta, out _));
    }

    public static TheoryData<string> Faults => [.. DeltaFaults.Keys];

    private static readonly Dictionary<string, (MapFaultKind Kind, Action<Delta> Break)> DeltaFaults = new()
    {
        ["removal of a stranger"] = (MapFaultKind.UnknownPeer, delta => delta.Removals.Add(99)),
        ["presence of a stranger"] = (MapFaultKind.UnknownPeer, delta => delta.Presences.Add(MapSamples.Presence(99, true))),
        ["a peer twice"] = (MapFaultKind.RepeatedPeer, delta => delta.Upserts.Add([MapSamples.Peer(5), MapSamples.Peer(5)])),
        ["ourselves as a peer"] = (MapFaultKind.RepeatedPeer, delta => delta.Upserts.Add(With(5, peer => peer.NodeId = peer.Presence.NodeId = MapSamples.SelfId))),
        ["a key held by another"] = (MapFaultKind.KeyHeldTwice, delta => delta.Upserts.Add(With(5, peer => peer.NodeKey = MapSamples.Key(1)))),
        ["our own key"] = (MapFaultKind.KeyHeldTwice, delta => delta.Upserts.Add(With(5, peer => peer.NodeKey = MapSamples.Key(250)))),
        ["an address of another"] = (MapFaultKind.PrefixHeldTwice, delta => delta.Upserts.Add(With(5, peer => peer.Prefixes[0] = MapSamples.Address(1)))),
        ["our own address"] = (MapFaultKind.PrefixHeldTwice, delta => delta.Upserts.Add(With(5, peer => peer.Prefixes[0] = MapSamples.Address(250)))),
        ["a name that is no label"] = (MapFaultKind.Field, delta => delta.Upserts.Add(With(5, peer => peer.Name = "a\u001b[31mb"))),
        ["a key of 31 bytes"] = (MapFaultKind.Field, delta => delta.Upserts.Add(With(5, peer => peer.NodeKey = ByteString.CopyFrom(new byte[31])))),
        ["an all-zero key"] = (MapFaultKind.Field, delta => delta.Upserts.Add(With(5, peer => peer.NodeKey = ByteString.CopyFrom(new byte[32])))),
        ["host bits in a prefix"] = (MapFaultKind.Field, delta => delta.Upserts.Add(With(5, peer => peer.Prefixes[0].Length = 24))),
        ["a prefix too long"] = (MapFaultKind.Field, delta => delta.Upserts.Add(With(5, peer => peer.Prefixes[0].Length = 33))),
        ["port 0"] = (MapFaultKind.Field, delta => delta.Upserts.Add(With(5, peer => peer.Presence.Endpoints[0].Port = 0))),
        ["33 endpoints"] = (MapFaultKind.Field, delta => delta.Upserts.Add(With(5, peer =>
            peer.Presence.Endpoints.Add(Enumerable.Repeat(peer.Presence.Endpoints[0], ControlLimits.EndpointsPerNode))))),
        ["1025 prefixes"] = (MapFaultKind.Field, delta => delta.Upserts.Add(With(5, peer =>
            peer.Prefixes.Add(Enumerable.Repeat(MapSamples.Address(5), ControlLimits.PrefixesPerPeer))))),
        ["another node's self"] = (MapFaultKind.NotOurs, delta => delta.Self = new Self(MapSamples.Self()) { NodeId = 77 }),
        ["no head"] = (MapFaultKind.Field, delta => delta.Head = null),
        ["an overlong token"] = (MapFaultKind.Field, delta => delta.ResumeToken = ByteString.CopyFrom(new byte[257])),
        ["a port range upside down"] = (MapFaultKind.Field, delta =>
            delta.Filter = new PacketFilter { Ingress = { new FilterRule { Ports = { new PortRange { First = 2, Last = 1 } } } } }),
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_delta_with_one_fault_changes_nothing(string fault)
    {
        var map = Map(1, 2, 3);
        var before = map.ToSnapshot().ToByteArray();
        var delta = MapSamples.Delta(2);
        delta.Removals.Add(2);
        delta.Upserts.Add(MapSamples.Peer(4));
        DeltaFaults[fault].Break(delta);
        Assert.Equal(DeltaFaults[fault].Kind, map.Apply(delta, out var next).Kind);
        Assert.Null(next);
        Assert.Equal(before, map.ToSnapshot().ToByteArray());
    }

    [Fact]
    public void A_snapshot_without_self_or_filter_is_refused()
    {
        var without = MapSamples.Snapshot(1);
        without.Self = null;
        Assert.Equal(new MapFault(MapFaultKind.Field, "self"), NetworkMap.Create(without, out _));
        without = MapSamples.Snapshot(1);
        without.Filter = null;
        Assert.Equal(new MapFault(MapFaultKind.Field, "filter"), NetworkMap.Create(without, out _));
    }

    private static Peer With(byte n, Action<Peer> change)
    {
        var peer = MapSamples.Peer(n);
        change(peer);
        return peer;
    }
}
