using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy.Explanation;

/// <summary>Whether a policy lets somebody reach something, and why.</summary>
/// <param name="Allowed">For every pair of the machines that were asked about.</param>
/// <param name="Answer">A sentence.</param>
/// <param name="Rules">What allows it, or some of it: "acls[3] (line 12)". None where nothing is allowed.</param>
/// <param name="Reasons">Why what is not allowed is not, a sentence each; and whether the two know of each other.</param>
public sealed record PolicyExplanation(bool Allowed, string Answer, ImmutableArray<string> Rules, ImmutableArray<string> Reasons);
