using System.Collections.Immutable;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Mesh.Protocol.Control;

namespace Mesh.Node.Control;

/// <summary>
/// What this node may see, at one position of the log. Immutable: a frame makes a new map or none. The messages within are
/// frozen by convention; nobody changes them after they came.
/// </summary>
public sealed class NetworkMap
{
    // Node keys (current and previous) and primary prefixes, each with the peer that holds it.
    private readonly ImmutableDictionary<ByteString, ulong> _keys;
    private readonly ImmutableDictionary<(ByteString Address, uint Length), ulong> _prefixes;

    private NetworkMap(
        ByteString resumeToken, LogHead head, Self self, ImmutableDictionary<ulong, Peer> peers, PacketFilter filter,
        ImmutableDictionary<ByteString, ulong> keys, ImmutableDictionary<(ByteString, uint), ulong> prefixes)
    {
        (ResumeToken, Head, Self, Peers, Filter, _keys, _prefixes) = (resumeToken, head, self, peers, filter, keys, prefixes);
    }

    public ByteString ResumeToken { get; }

    public LogHead Head { get; }

    public Self Self { get; }

    /// <summary>By node id.</summary>
    public ImmutableDictionary<ulong, Peer> Peers { get; }

    public PacketFilter Filter { get; }

    /// <summary>The map that a snapshot describes, or the fault that keeps it from being one.</summary>
    public static MapFault Create(Snapshot snapshot, out NetworkMap? map)
    {
        map = null;
        string? field = MapRules.Check(snapshot.ResumeToken, snapshot.Head) ?? MapRules.Check(snapshot.Self) ?? MapRules.Check(snapshot.Filter);
        if (field is not null) return new(MapFaultKind.Field, field);
        var edit = new Edit(snapshot.Self);
        var fault = edit.Upsert(snapshot.Peers);
        if (!fault.IsNone) return fault;
        map = edit.ToMap(snapshot.ResumeToken, snapshot.Head, snapshot.Filter);
        return MapFault.None;
    }

    /// <summary>The map after a delta, or the fault that leaves this one standing.</summary>
    public MapFault Apply(Delta delta, out NetworkMap? map)
    {
        map = null;
        string? field = MapRules.Check(delta.ResumeToken, delta.Head)
            ?? (delta.Self is null ? null : MapRules.Check(delta.Self))
            ?? (delta.Filter is null ? null : MapRules.Check(delta.Filter));
        if (field is not null) return new(MapFaultKind.Field, field);
        if (delta.Self is not null && delta.Self.NodeId != Self.NodeId) return new(MapFaultKind.NotOurs, "self.node_id");
        var edit = new Edit(this, delta.Self ?? Self);
        var fault = edit.Remove(delta.Removals);
        if (fault.IsNone) fault = edit.Upsert(delta.Upserts);
        if (fault.IsNone) fault = edit.Note(delta.Presences);
        if (fault.IsNone && delta.Self is not null) fault = edit.CheckSelf();
        if (!fault.IsNone) return fault;
        map = edit.ToMap(delta.ResumeToken, delta.Head, delta.Filter ?? Filter);
        return MapFault.None;
    }

    /// <summary>A snapshot from which <see cref="Create"/> makes this map again.</summary>
    public Snapshot ToSnapshot() => new()
    {
        ResumeToken = ResumeToken,
        Head = Head,
        Self = Self,
        Peers = { Peers.Values },
        Filter = Filter,
    };

    /// <summary>One frame's changes in the making; thrown away when any of them does not fit.</summary>
    private sealed class Edit
    {
        private readonly Self _self;
        private readonly ImmutableDictionary<ulong, Peer>.Builder _peers;
        private readonly ImmutableDictionary<ByteString, ulong>.Builder _keys;
        private readonly ImmutableDictionary<(ByteString Address, uint Length), ulong>.Builder _prefixes;

        public Edit(Self self)
        {
            _self = self;
            _peers = ImmutableDictionary.CreateBuilder<ulong, Peer>();
            _keys = ImmutableDictionary.CreateBuilder<ByteString, ulong>();
            _prefixes = ImmutableDictionary.CreateBuilder<(ByteString, uint), ulong>();
        }

        public Edit(NetworkMap map, Self self)
        {
            _self = self;
            (_peers, _keys, _prefixes) = (map.Peers.ToBuilder(), map._keys.ToBuilder(), map._prefixes.ToBuilder());
        }

        public MapFault Remove(IEnumerable<ulong> ids)
        {
            foreach (ulong id in ids)
            {
                if (!_peers.Remove(id, out var peer)) return new(MapFaultKind.UnknownPeer, "removals");
                Release(peer);
            }
            return MapFault.None;
        }

        public MapFault Upsert(RepeatedField<Peer> peers)
        {
            // All of the old goes before any of the new comes, so that a key or prefix may move within one frame.
            var seen = new HashSet<ulong>(peers.Count);
            foreach (var peer in peers)
            {
                if (MapRules.Check(peer) is { } field) return new(MapFaultKind.Field, field);
                if (!seen.Add(peer.NodeId) || peer.NodeId == _self.NodeId) return new(MapFaultKind.RepeatedPeer);
                if (_peers.Remove(peer.NodeId, out var old)) Release(old);
            }
            foreach (var peer in peers)
            {
                _peers.Add(peer.NodeId, peer);
                var fault = Hold(peer);
                if (!fault.IsNone) return fault;
            }
            return MapFault.None;
        }

        public MapFault Note(IEnumerable<PeerPresence> presences)
        {
            foreach (var presence in presences)
            {
                if (MapRules.Check(presence) is { } field) return new(MapFaultKind.Field, field);
                if (!_peers.TryGetValue(presence.NodeId, out var peer)) return new(MapFaultKind.UnknownPeer, "presences");
                var changed = peer.Clone();
                changed.Presence = presence;
                _peers[presence.NodeId] = changed;
            }
            return MapFault.None;
        }

        /// <summary>After a change of the node's own entry: none of its peers may hold what is now its.</summary>
        public MapFault CheckSelf()
        {
            if (_keys.ContainsKey(_self.NodeKey)) return new(MapFaultKind.KeyHeldTwice, "self");
            return _self.Addresses.Any(address => _prefixes.ContainsKey((address.Address, address.Length)))
                ? new(MapFaultKind.PrefixHeldTwice, "self")
                : MapFault.None;
        }

        public NetworkMap ToMap(ByteString token, LogHead head, PacketFilter filter) =>
            new(token, head, _self, _peers.ToImmutable(), filter, _keys.ToImmutable(), _prefixes.ToImmutable());

        private MapFault Hold(Peer peer)
        {
            if (!HoldKey(peer.NodeKey, peer.NodeId)) return new(MapFaultKind.KeyHeldTwice, peer.Name);
            if (!peer.PreviousNodeKey.IsEmpty && !HoldKey(peer.PreviousNodeKey, peer.NodeId)) return new(MapFaultKind.KeyHeldTwice, peer.Name);
            foreach (var prefix in peer.Prefixes)
            {
                if (!prefix.Primary) continue;
                bool own = _self.Addresses.Any(address => address.Address == prefix.Address && address.Length == prefix.Length);
                if (own || !_prefixes.TryAdd((prefix.Address, prefix.Length), peer.NodeId)) return new(MapFaultKind.PrefixHeldTwice, peer.Name);
            }
            return MapFault.None;
        }

        private bool HoldKey(ByteString key, ulong id) => key != _self.NodeKey && _keys.TryAdd(key, id);

        private void Release(Peer peer)
        {
            _keys.Remove(peer.NodeKey);
            if (!peer.PreviousNodeKey.IsEmpty) _keys.Remove(peer.PreviousNodeKey);
            foreach (var prefix in peer.Prefixes)
                if (prefix.Primary) _prefixes.Remove((prefix.Address, prefix.Length));
        }
    }
}
