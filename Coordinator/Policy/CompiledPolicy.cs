using System.Collections.Immutable;
using Mesh.Coordinator.Network;

namespace Mesh.Coordinator.Policy;

/// <summary>A policy that needs no file.</summary>
public enum PolicyPreset
{
    /// <summary>Nobody sees anybody: the policy of a network that was given none.</summary>
    DenyAll,

    /// <summary>Everybody reaches everybody.</summary>
    AllowAll,
}

/// <summary>
/// A policy as classes: nodes that no rule tells apart share a class, and visibility and filters are between classes.
/// Immutable. See <see cref="ClassId"/> for why an id is never reused and never changes its meaning.
/// </summary>
public sealed class CompiledPolicy
{
    /// <summary>The class of every node that no rule tells apart from the others.</summary>
    public static readonly ClassId EveryoneClass = ClassId.Of("everyone");

    private static readonly ImmutableArray<ClassRule> AllowEveryone = [new ClassRule([EveryoneClass])];

    private CompiledPolicy(PolicyPreset preset) => Preset = preset;

    public static CompiledPolicy DenyAll { get; } = new(PolicyPreset.DenyAll);

    public static CompiledPolicy AllowAll { get; } = new(PolicyPreset.AllowAll);

    public PolicyPreset Preset { get; }

    public static CompiledPolicy Of(PolicyPreset preset) => preset == PolicyPreset.AllowAll ? AllowAll : DenyAll;

    /// <summary>The class of a node, from its user, tags and addresses.</summary>
#pragma warning disable CA1822 // Which class a node is in depends on the policy, also where every policy says the same.
    public ClassId ClassOf(Node node)
#pragma warning restore CA1822
    {
        ArgumentNullException.ThrowIfNull(node);
        return EveryoneClass;
    }

    /// <summary>Whether the policy's tagOwners let a user give a tag to machines. A policy without tagOwners leaves that to administrators.</summary>
#pragma warning disable CA1822 // As for ClassOf.
    public bool MayGiveTag(string user, string tag)
#pragma warning restore CA1822
    {
        ArgumentNullException.ThrowIfNull(user);
        ArgumentNullException.ThrowIfNull(tag);
        return true;
    }

    /// <summary>Whether a node of one class has nodes of another in its map: symmetric, since a tunnel takes two.</summary>
    public bool AreVisible(ClassId viewerClass, ClassId peerClass) =>
        Preset == PolicyPreset.AllowAll && viewerClass == EveryoneClass && peerClass == EveryoneClass;

    /// <summary>What nodes of a class accept. Empty accepts nothing; so does an unknown class.</summary>
    public ImmutableArray<ClassRule> IngressOf(ClassId receiverClass) =>
        Preset == PolicyPreset.AllowAll && receiverClass == EveryoneClass ? AllowEveryone : [];
}
