namespace Mesh.Coordinator.Policy;

/// <summary>A set of nodes that no rule of a policy tells apart, by what the policy's facts say of them. Immutable.</summary>
public sealed class PolicyClass
{
    private readonly FactFlags[] _facts;

    internal PolicyClass(ClassId id, FactFlags[] facts) => (Id, _facts) = (id, facts);

    public ClassId Id { get; }

    internal FactFlags this[int fact] => _facts[fact];

    /// <summary>In which ways any of the facts holds.</summary>
    internal FactFlags Any(ReadOnlySpan<int> facts)
    {
        var flags = FactFlags.None;
        foreach (int fact in facts) flags |= _facts[fact];
        return flags;
    }
}
