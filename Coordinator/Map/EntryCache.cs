using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Presence;

namespace Mesh.Coordinator.Map;

/// <summary>
/// The encoded entries of a network's nodes, shared by all polls: one for each node, of the state and presence last asked for, and the
/// filters of their classes. Bounded by the number of nodes. Thread-safe; the arrays are not to be changed.
/// </summary>
internal sealed class EntryCache
{
    private readonly ConcurrentDictionary<ulong, PeerBytes> _peers = new();
    private readonly ConcurrentDictionary<ulong, (NodePresence Presence, byte[] Bytes)> _presences = new();

    private readonly ConditionalWeakTable<ClassRule[], byte[]> _filters = [];

    /// <summary>See <see cref="FilterEntry.Encode"/>.</summary>
    public byte[] Of(ImmutableArray<ClassRule> ingress) =>
        _filters.GetValue(ImmutableCollectionsMarshal.AsArray(ingress)!, static rules => FilterEntry.Encode(ImmutableCollectionsMarshal.AsImmutableArray(rules)));

    /// <summary>See <see cref="PeerEntry.Encode(Node, byte[])"/>.</summary>
    public byte[] Of(Node node, NodePresence? presence)
    {
        if (_peers.TryGetValue(node.Id, out var cached) && ReferenceEquals(cached.Node, node) && ReferenceEquals(cached.Presence, presence)) return cached.Bytes;
        byte[] bytes = PeerEntry.Encode(node, Of(node.Id, presence));
        _peers[node.Id] = new PeerBytes(node, presence, bytes);
        return bytes;
    }

    /// <summary>See <see cref="PeerEntry.Encode(ulong, NodePresence?)"/>.</summary>
    public byte[] Of(ulong nodeId, NodePresence? presence)
    {
        if (presence is null) return PeerEntry.Encode(nodeId, null);
        if (_presences.TryGetValue(nodeId, out var cached) && ReferenceEquals(cached.Presence, presence)) return cached.Bytes;
        byte[] bytes = PeerEntry.Encode(nodeId, presence);
        _presences[nodeId] = (presence, bytes);
        return bytes;
    }

    public void Forget(ulong nodeId)
    {
        _peers.TryRemove(nodeId, out _);
        _presences.TryRemove(nodeId, out _);
    }

    private sealed record PeerBytes(Node Node, NodePresence? Presence, byte[] Bytes);
}
