using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy;

/// <summary>
/// A set of nodes that no rule of a policy tells apart, by what the policy's facts say of them; and which of the policy's rules mean
/// them, found once. Immutable.
/// </summary>
public sealed class PolicyClass
{
    private readonly FactFlags[] _facts;

    internal PolicyClass(ClassId id, FactFlags[] facts, ImmutableArray<ProgramRule> rules)
    {
        (Id, _facts, Rules) = (id, facts, rules);
        (Sends, Begins, Reached, Takes) = (new RuleSet(rules.Length), new RuleSet(rules.Length), new RuleSet(rules.Length), new RuleSet(rules.Length));
        for (int i = 0; i < rules.Length; i++)
        {
            var rule = rules[i];
            var source = rule.Source.Of(this);
            bool sends = (source & FactFlags.Own) != 0, isTarget = rule.Leads(this);
            bool isOwn = Array.Exists(rule.Selves, self => _facts[self] != FactFlags.None);
            if (sends) Sends.Add(i);
            if (rule.HasVia ? sends : source != FactFlags.None) Begins.Add(i);
            if (isTarget || (!rule.HasVia && rule.Granted is { } granted && granted.Of(this) != FactFlags.None)) Reached.Add(i);
            if (isTarget || (isOwn && sends)) Takes.Add(i);
            BeginsWithOwn |= isOwn && sends;
            IsOwn |= isOwn;
        }
    }

    public ClassId Id { get; }

    /// <summary>The program's.</summary>
    internal ImmutableArray<ProgramRule> Rules { get; }

    /// <summary>The rules whose source means the nodes' own addresses.</summary>
    internal RuleSet Sends { get; }

    /// <summary>The rules by which the nodes, or what they route, may begin something.</summary>
    internal RuleSet Begins { get; }

    /// <summary>The rules by which something may be begun with the nodes, or with what they route, by anybody's.</summary>
    internal RuleSet Reached { get; }

    /// <summary>The rules that stand in the nodes' filter once somebody is their source; no others do.</summary>
    internal RuleSet Takes { get; }

    /// <summary>A rule lets the nodes begin something with those of their own user.</summary>
    internal bool BeginsWithOwn { get; }

    /// <summary>The nodes are ones of a user, and a rule says something of such.</summary>
    internal bool IsOwn { get; }

    internal FactFlags this[int fact] => _facts[fact];

    /// <summary>In which ways any of the facts holds.</summary>
    internal FactFlags Any(ReadOnlySpan<int> facts)
    {
        var flags = FactFlags.None;
        foreach (int fact in facts) flags |= _facts[fact];
        return flags;
    }
}
