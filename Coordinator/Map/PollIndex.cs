using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;

namespace Mesh.Coordinator.Map;

/// <summary>The class and owner of a node: all that decides whose maps it stands in. Default for no node.</summary>
internal readonly record struct PollPlace(ClassId Class, ulong OwnerId)
{
    public static PollPlace Of(Node? node) => node is null ? default : new PollPlace(node.ClassId, node.OwnerId);
}

/// <summary>
/// The open polls of a network: by node, by class, and by class and owner of their nodes, so that finding who sees a node takes a look
/// at each class and not at each poll. Not thread-safe.
/// </summary>
internal sealed class PollIndex
{
    private readonly Dictionary<ulong, PollSession> _byNode = [];
    // A list is copied whole without a look at any session, whose memory is nobody's at hand; a session knows its place in it.
    private readonly Dictionary<ClassId, List<PollSession>> _byClass = [];
    private readonly Dictionary<PollPlace, HashSet<PollSession>> _byPlace = [];

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

    /// <summary>Lists the polls whose nodes may see any node at these places, each once.</summary>
    /// <param name="program">Classes that it does not know are of another policy: at a change of policy everybody looks.</param>
    public void ListWhoSee(PolicyProgram program, IReadOnlyCollection<PollPlace> places, List<PollSession> seeing)
    {
        HashSet<ulong> owners = [];
        foreach (var (viewerId, sessions) in _byClass)
        {
            if (program.Find(viewerId) is not { } viewer) continue;
            bool all = false;
            owners.Clear();
            foreach (var (touchedId, owner) in places)
            {
                if (program.Find(touchedId) is not { } touched) continue;
                var relation = program.RelationOf(viewer, touched);
                if (all = relation == ClassRelation.All) break;
                if (relation == ClassRelation.SameOwner) owners.Add(owner);
            }

            if (all) seeing.AddRange(sessions);
            else
                foreach (ulong owner in owners)
                    if (_byPlace.TryGetValue(new PollPlace(viewerId, owner), out var own)) seeing.AddRange(own);
        }
    }

    private void File(PollSession session, PollPlace place)
    {
        session.Place = place;
        if (!_byClass.TryGetValue(place.Class, out var ofClass)) _byClass[place.Class] = ofClass = [];
        session.IndexInClass = ofClass.Count;
        ofClass.Add(session);
        if (!_byPlace.TryGetValue(place, out var atPlace)) _byPlace[place] = atPlace = [];
        atPlace.Add(session);
    }

    private void Unfile(PollSession session)
    {
        var ofClass = _byClass[session.Place.Class];
        var last = ofClass[^1];
        (ofClass[session.IndexInClass], last.IndexInClass) = (last, session.IndexInClass);
        ofClass.RemoveAt(ofClass.Count - 1);
        if (ofClass.Count == 0) _byClass.Remove(session.Place.Class);
        var atPlace = _byPlace[session.Place];
        atPlace.Remove(session);
        if (atPlace.Count == 0) _byPlace.Remove(session.Place);
    }
}
