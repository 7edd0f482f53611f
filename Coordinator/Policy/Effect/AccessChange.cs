using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy.Effect;

/// <summary>Of which pairs of machines a change holds.</summary>
internal enum PairKind
{
    All,

    /// <summary>Of one user's (autogroup:self).</summary>
    SameOwner,

    /// <summary>Of different users', or of nobody's.</summary>
    OtherOwner,
}

/// <summary>What is the same for many pairs of machines that a change of the policy touches.</summary>
/// <param name="IsGain">It was not allowed before, and is now; otherwise it was, and is no longer.</param>
/// <param name="Family">The version of IP that it holds for.</param>
internal sealed record AccessDifference(bool IsGain, PairKind Pairs, ServiceSet Services, IpFamily Family);

/// <summary>A difference, with the machines that send and those that are reached, by index.</summary>
internal sealed record AccessChange(AccessDifference Difference, ImmutableArray<int> Senders, ImmutableArray<int> Receivers);
