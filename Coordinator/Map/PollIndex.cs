using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;

namespace Mesh.Coordinator.Map;

/// <summary>The class and owner of a node: all that decides whose maps it stands in. Default for no node.</summary>
internal readonly record struct PollPlace(ClassId Class, ulong OwnerId)
{
    public static PollPlace Of(Node? node) => node is null ? default : new PollPlace(node.ClassId, node.OwnerId);
}

/// <summary>
/// The open polls of a network: by node, and by class and owner of their nodes, so that finding who sees a node takes a look at
/// each class and not at each poll. Not thread-safe.
/// </summary>
internal sealed class PollIndex
{
    private readonly Dictionary<ulong, PollSession> _byNode = [];
    private readonly Dictionary<ClassId, Dictionary<ulong, HashSet<PollSession>>> _byClass = [];

    public int Count => _byNode.Count;

    public IReadOnlyCollection<PollSession> All => _byNode.Values;

    public PollSession? Find(ulong nodeId) => _byNode.GetValueOrDefault(nodeId);

    /// <summary>Files a session as its node's only one.</summary>
    public void Add(PollSession session, Node? node)
    {
        if (_byNode.Remove(session.NodeId, out var earlier)) Unfile(earlier);
        _byNode[session.NodeId] = session;
        File(session, PollPlace.Of(node));
    }

    public void Remove(PollSession session)
    {
        if (Find(session.NodeId) != session) return;
        _byNode.Remove(session.NodeId);
        Unfile(session);
    }

    /// <summary>Files a session anew after its node has changed.</summary>
    public void Refile(PollSession session, Node? node)
    {
        var place = PollPlace.Of(node);
        if (place == session.Place) return;
        Unfile(session);
        File(session, place);
    }

    /// <summary>The polls whose nodes may see any node at these places; some more than once.</summary>
    /// <param name="program">Classes that it does not know are of another policy: at a change of policy everybody looks.</param>
    public IEnumerable<PollSession> WhoSee(PolicyProgram program, IReadOnlyCollection<PollPlace> places)
    {
        foreach (var (viewerId, owners) in _byClass)
        {
            if (program.Find(viewerId) is not { } viewer) continue;
            bool all = false;
            HashSet<ulong> some = [];
            foreach (var (touchedId, owner) in places)
            {
                if (program.Find(touchedId) is not { } touched) continue;
                var relation = program.RelationOf(viewer, touched);
                if (all = relation == ClassRelation.All) break;
                if (relation == ClassRelation.SameOwner) some.Add(owner);
            }

            var seeing = all ? owners.Values : some.Select(owner => owners.GetValueOrDefault(owner)).OfType<HashSet<PollSession>>();
            foreach (var sessions in seeing)
                foreach (var session in sessions) yield return session;
        }
    }

    private void File(PollSession session, PollPlace place)
    {
        session.Place = place;
        if (!_byClass.TryGetValue(place.Class, out var owners)) _byClass[place.Class] = owners = [];
        if (!owners.TryGetValue(place.OwnerId, out var filed)) owners[place.OwnerId] = filed = [];
        filed.Add(session);
    }

    private void Unfile(PollSession session)
    {
        var owners = _byClass[session.Place.Class];
        var filed = owners[session.Place.OwnerId];
        filed.Remove(session);
        if (filed.Count == 0) owners.Remove(session.Place.OwnerId);
        if (owners.Count == 0) _byClass.Remove(session.Place.Class);
    }
}
