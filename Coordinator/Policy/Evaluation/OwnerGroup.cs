namespace Mesh.Coordinator.Policy.Evaluation;

/// <summary>Nodes that a test tells apart by their owners only: asked of two groups, what would be asked of every pair.</summary>
internal sealed class OwnerGroup
{
    private readonly HashSet<ulong> _owners = [];
    private ulong _first;
    private int _count;

    public void Add(PolicySubject subject)
    {
        if (_count++ == 0) _first = subject.Id;
        _owners.Add(subject.EffectiveOwnerId);
    }

    /// <summary>Whether a node of one and a node of the other belong to one user.</summary>
    public bool SharesOwnerWith(OwnerGroup other)
    {
        var (few, many) = _owners.Count <= other._owners.Count ? (_owners, other._owners) : (other._owners, _owners);
        foreach (ulong owner in few)
            if (owner != 0 && many.Contains(owner)) return true;
        return false;
    }

    /// <summary>Whether a node of one and a node of the other do not belong to one user.</summary>
    public bool DiffersFrom(OwnerGroup other) =>
        _owners.Count > 1 || other._owners.Count > 1 || _owners.Contains(0) || !_owners.SetEquals(other._owners);

    /// <summary>The two are one and the same node.</summary>
    public bool IsOneNodeWith(OwnerGroup other) => _count == 1 && other._count == 1 && _first == other._first;
}
