using System.Collections.Immutable;
using Google.Protobuf;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Map;

/// <summary>
/// What one node may see of a network at one state: a pure function of the two. Whom it sees follows from classes, never
/// from pairs of nodes.
/// </summary>
internal readonly struct MapView
{
    private readonly PolicyClass? _viewerClass;

    public MapView(NetworkState state, ulong viewerId)
    {
        State = state;
        Viewer = state.FindNode(viewerId) is { } node && TakesPart(node) ? node : null;
        _viewerClass = Viewer is null ? null : Fleet.Find(Viewer.ClassId);
    }

    public NetworkState State { get; }

    /// <summary>Null when the node takes no part (any more): it sees nothing, not even itself.</summary>
    public Node? Viewer { get; }

    /// <summary>What the node accepts. The same instance for all nodes of a class.</summary>
    public ImmutableArray<ClassRule> Ingress => _viewerClass is null ? [] : Fleet.IngressOf(_viewerClass);

    private FleetPolicy Fleet => State.Policy.Fleet;

    /// <summary>
    /// Whether a node stands in maps at all. The clock is not looked at: entries carry the expiry, every node
    /// keeps to it by itself, and an event says when it has come.
    /// </summary>
    public static bool TakesPart(Node node) => node is { Approved: true, LoggedOut: false, Expired: false };

    /// <summary>What the policy says of the node and those of a class.</summary>
    public ClassRelation RelationTo(ClassId id) =>
        _viewerClass is { } viewer && Fleet.Find(id) is { } other ? Fleet.Program.RelationOf(viewer, other) : ClassRelation.None;

    /// <summary>Whether a peer, if the network has it, is in view.</summary>
    public bool Sees(ulong peerId, out Node? peer)
    {
        peer = State.FindNode(peerId);
        return peer is not null && Sees(peer, RelationTo(peer.ClassId));
    }

    public IEnumerable<Node> Peers()
    {
        if (_viewerClass is not { } viewer) yield break;
        foreach (var seen in Fleet.Classes)
        {
            var relation = Fleet.Program.RelationOf(viewer, seen);
            if (relation == ClassRelation.None) continue;
            foreach (ulong id in Fleet.MembersOf(seen.Id))
                if (State.Nodes[id] is var peer && Sees(peer, relation)) yield return peer;
        }
    }

    /// <summary>Nodes that were in both states and did not change, but whom only one of them may show: their class is seen otherwise.</summary>
    public IEnumerable<ulong> SeenOtherwiseThan(MapView before)
    {
        bool sameOwner = before.Viewer?.OwnerId == Viewer?.OwnerId;
        if (ReferenceEquals(before.Fleet.Program, Fleet.Program) && before.Viewer?.ClassId == Viewer?.ClassId && sameOwner) yield break;
        foreach (var seen in Fleet.Classes)
        {
            var (was, now) = (before.RelationTo(seen.Id), RelationTo(seen.Id));
            if (was == now && (sameOwner || now != ClassRelation.SameOwner)) continue;
            foreach (ulong id in Fleet.MembersOf(seen.Id)) yield return id;
        }
    }

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

    private bool Sees(Node peer, ClassRelation relation) => Viewer is { } viewer && peer.Id != viewer.Id && TakesPart(peer) && relation switch
    {
        ClassRelation.All => true,
        ClassRelation.SameOwner => viewer.OwnerId != 0 && viewer.OwnerId == peer.OwnerId,
        _ => false,
    };
}
