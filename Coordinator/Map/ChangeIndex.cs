using Mesh.Coordinator.Network;
using Mesh.Coordinator.Network.Events;

namespace Mesh.Coordinator.Map;

/// <summary>
/// Which nodes each of the newest positions of the log touched, so that a delta looks at those alone. A ring of fixed
/// length: whoever comes from before it looks at every node. Thread-safe.
/// </summary>
internal sealed class ChangeIndex(long position, int capacity)
{
    /// <summary>The whole network may look different: an event whose payload is erased, for one.</summary>
    private static readonly ulong[] Everything = [0];

    private readonly Lock _lock = new();
    private readonly ulong[][] _touched = new ulong[capacity][];
    private readonly long _first = position;
    private long _last = position;
    private Collected? _collected;

    /// <summary>The nodes that an event touches; null for all of them. A node id is never 0.</summary>
    public static ulong[]? TouchedBy(NetworkEvent e, StateChange change) => e.Payload switch
    {
        NodeRegistered p => [p.Id],
        NodeReauthorized p => [p.Id],
        NodeKeyChanged p => [p.Id],
        NodeKeyRetired p => [p.Id],
        NodeLoggedOut p => [p.Id],
        NodeDeleted p => [p.Id],
        NodeRenamed p => [p.Id],
        NodeExpirySet p => [p.Id],
        NodeExpired p => [p.Id],
        NodeTagged p => [p.Id],
        NodeApproved p => [p.Id],
        // A policy touches those that it puts in another class; who sees whom is another matter.
        PolicySet => [.. change.After.Nodes.Values.Where(node => change.Before.FindNode(node.Id)?.ClassId != node.ClassId).Select(node => node.Id)],
        // A user's name reaches no map but through the policy, which sees to the classes.
        UserCreated or UserDeleted => [],
        DataErased or NodeSighted or NetworkDeletionScheduled or NetworkDeletionCancelled => [],
        NodeHostReported { CapabilitiesChanged: true } p => [p.Id],
        NodeHostReported or PreAuthKeyCreated or PreAuthKeyRevoked => [],
        _ => null,
    };

    /// <param name="touched">The nodes that the event at the position touches; null for all of them.</param>
    public void Add(long position, ulong[]? touched)
    {
        lock (_lock)
        {
            _last = position;
            _touched[_last % capacity] = touched ?? Everything;
        }
    }

    /// <summary>The nodes touched after one position up to another; null when that is not known, or is everything.</summary>
    public IReadOnlySet<ulong>? TouchedBetween(long after, long upTo)
    {
        lock (_lock)
        {
            if (after < _first || after < _last - capacity || upTo > _last) return null;
            // Most polls ask for the same: from the change before to this one.
            if (_collected is { } known && known.After == after && known.UpTo == upTo) return known.Nodes;
            HashSet<ulong> nodes = [];
            for (long p = after + 1; p <= upTo; p++)
            {
                ulong[] touched = _touched[p % capacity];
                if (ReferenceEquals(touched, Everything)) return null;
                nodes.UnionWith(touched);
            }
            _collected = new Collected(after, upTo, nodes);
            return nodes;
        }
    }

    private sealed record Collected(long After, long UpTo, IReadOnlySet<ulong> Nodes);
}
