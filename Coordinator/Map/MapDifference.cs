using Mesh.Coordinator.Network;
using Mesh.Coordinator.Presence;

namespace Mesh.Coordinator.Map;

/// <summary>
/// What leads from one view of a node to a later one: the difference of the two snapshots. Pure; the candidates only say
/// where to look.
/// </summary>
/// <param name="Upserts">New in view, or another entry.</param>
/// <param name="Removals">No longer in view.</param>
/// <param name="Presences">In view before and after with the same entry, but another presence.</param>
/// <param name="SelfChanged">The node's own entry differs.</param>
/// <param name="FilterChanged">The filter differs.</param>
internal sealed record MapDifference(
    IReadOnlyList<Node> Upserts, IReadOnlyList<ulong> Removals, IReadOnlyList<ulong> Presences, bool SelfChanged, bool FilterChanged)
{
    public bool IsEmpty => Upserts.Count == 0 && Removals.Count == 0 && Presences.Count == 0 && !SelfChanged && !FilterChanged;

    /// <param name="touched">Nodes that may differ between the states; null for any.</param>
    /// <param name="moved">Nodes whose presence may differ; null for any.</param>
    public static MapDifference Between(
        MapCursor from, NetworkState state, PresenceView presence, ulong viewerId, EntryCache entries,
        IReadOnlySet<ulong>? touched, IReadOnlyCollection<ulong>? moved)
    {
        var before = new MapView(from.State, viewerId);
        var after = new MapView(state, viewerId);
        bool selfChanged = !SameEntry(before.Viewer, after.Viewer) || from.State.Settings != state.Settings;
        List<Node> upserts = [];
        List<ulong> removals = [];
        foreach (ulong id in touched is null ? AllOf(from.State, state) : touched.Concat(after.SeenOtherwiseThan(before).Where(id => !touched.Contains(id))))
        {
            bool saw = before.Sees(id, out var old);
            bool sees = after.Sees(id, out var now);
            if (sees && (!saw || !SameEntry(old, now)))
            {
                upserts.Add(now!);
            }
            else if (saw && !sees)
            {
                removals.Add(id);
            }
        }

        List<ulong> presences = [];
        HashSet<ulong> settled = moved is { Count: 0 } ? [] : [.. upserts.Select(node => node.Id)];
        foreach (ulong id in moved?.Where(id => after.Sees(id, out _)) ?? after.Peers().Select(peer => peer.Id))
        {
            if (settled.Contains(id)) continue;
            if (from.Presence is not { } known || !ReferenceEquals(known.Find(id), presence.Find(id))) presences.Add(id);
        }

        var (accepted, accepts) = (before.Ingress, after.Ingress);
        bool filterChanged = accepted != accepts && !entries.Of(accepted).AsSpan().SequenceEqual(entries.Of(accepts));
        return new MapDifference(upserts, removals, presences, selfChanged, filterChanged);
    }

    private static bool SameEntry(Node? old, Node? now) => ReferenceEquals(old, now) || (old is not null && now is not null && PeerEntry.AreSame(old, now));

    private static HashSet<ulong> AllOf(NetworkState first, NetworkState second)
    {
        HashSet<ulong> all = [.. first.Nodes.Keys];
        all.UnionWith(second.Nodes.Keys);
        return all;
    }
}
