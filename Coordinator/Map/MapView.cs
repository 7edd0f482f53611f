using Google.Protobuf;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Map;

/// <summary>
/// What one node may see of a network at one state: a pure function of the two. Whom it sees follows from classes, never
/// from pairs of nodes.
/// </summary>
internal readonly struct MapView(NetworkState state, ulong viewerId)
{
    public NetworkState State { get; } = state;

    /// <summary>Null when the node takes no part (any more): it sees nothing, not even itself.</summary>
    public Node? Viewer { get; } = state.FindNode(viewerId) is { } node && TakesPart(node) ? node : null;

    /// <summary>
    /// Whether a node stands in maps at all. The clock is not looked at: entries carry the expiry, every node
    /// keeps to it by itself, and an event says when it has come.
    /// </summary>
    public static bool TakesPart(Node node) => node is { Approved: true, LoggedOut: false, Expired: false };

    public bool Sees(Node peer) =>
        Viewer is { } viewer && peer.Id != viewer.Id && TakesPart(peer) && State.Policy.AreVisible(viewer.ClassId, peer.ClassId);

    /// <summary>Whether a peer, if the network has it, is in view.</summary>
    public bool Sees(ulong peerId, out Node? peer)
    {
        peer = State.FindNode(peerId);
        return peer is not null && Sees(peer);
    }

    public IEnumerable<Node> Peers()
    {
        foreach (var node in State.Nodes.Values)
            if (Sees(node)) yield return node;
    }

    public PacketFilter Filter() => Viewer is { } viewer ? FilterOf(State.Policy, viewer.ClassId) : new PacketFilter();

    /// <summary>Whether the filter of two views may differ; false for certain only.</summary>
    public bool MayFilterDifferently(MapView other) =>
        !ReferenceEquals(State.Policy, other.State.Policy) || Viewer?.ClassId != other.Viewer?.ClassId;

    /// <param name="observed">What the coordinator sees the node's poll come from.</param>
    public Self Self(Endpoint observed)
    {
        var viewer = Viewer ?? throw new InvalidOperationException("A node that takes no part has no self.");
        var self = new Self
        {
            NodeId = viewer.Id,
            Name = viewer.Name,
            OwnerId = viewer.OwnerId,
            ClassId = viewer.ClassId.Value,
            ExpiresAtMs = viewer.ExpiresAt?.ToUnixTimeMilliseconds() ?? 0,
            NodeKey = ByteString.CopyFrom(viewer.NodeKey.AsSpan()),
            Observed = observed,
            RotateKeyAtMs = State.Settings.RotationDue(viewer)?.ToUnixTimeMilliseconds() ?? 0,
        };
        self.Addresses.AddRange(PeerEntry.OwnPrefixes(viewer));
        return self;
    }

    private static PacketFilter FilterOf(CompiledPolicy policy, ClassId classId)
    {
        var filter = new PacketFilter();
        foreach (var rule in policy.IngressOf(classId))
        {
            var written = new FilterRule();
            written.Classes.AddRange(rule.Classes.Select(id => id.Value));
            filter.Ingress.Add(written);
        }
        return filter;
    }
}
