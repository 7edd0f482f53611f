using System.Collections.Immutable;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy;

/// <summary>One side of a rule, as facts.</summary>
/// <param name="Everything">"*": every node, and what approved routers route.</param>
/// <param name="AnyAddress">autogroup:danger-all: every node, and every address behind one.</param>
/// <param name="Internet">autogroup:internet, as the fact that a node is an exit; -1 when it is not meant.</param>
/// <param name="Self">autogroup:self, as the fact that a node has no tags; -1 when it is not meant.</param>
/// <param name="Nodes">Facts about who a node is.</param>
/// <param name="Literals">Facts about addresses, with the prefix that each is about.</param>
internal sealed record RuleSide(
    bool Everything, bool AnyAddress, int Internet, int Self, ImmutableArray<int> Nodes, ImmutableArray<(int Fact, IpPrefix Prefix)> Literals)
{
    /// <summary>In which ways the side means nodes of a class.</summary>
    public FactFlags Of(PolicyClass nodes)
    {
        if (Everything || AnyAddress) return FactFlags.Own | FactFlags.Routes;
        var flags = nodes.Any(Nodes.AsSpan());
        foreach (var (fact, _) in Literals) flags |= nodes[fact];
        if (IsExit(nodes)) flags |= FactFlags.Routes;
        return flags;
    }

    /// <summary>Whether the internet is meant, and nodes of the class lead there.</summary>
    public bool IsExit(PolicyClass nodes) => Internet >= 0 && nodes[Internet] != FactFlags.None;

    /// <summary>Whether nodes of two classes are autogroup:self to each other, if their user is one.</summary>
    public bool MeansSelf(PolicyClass from, PolicyClass to) => Self >= 0 && from[Self] != FactFlags.None && to[Self] != FactFlags.None;

    /// <summary>Whether a router leads to some of it; its own addresses are not what a way is for.</summary>
    public bool LeadsVia(PolicyClass router)
    {
        foreach (var (fact, _) in Literals)
            if ((router[fact] & FactFlags.Routes) != 0) return true;
        return IsExit(router);
    }

    /// <summary>Whether some of what a router routes is meant, by its address.</summary>
    public bool Overlaps(IpPrefix route) => Everything || AnyAddress || Literals.Any(literal => literal.Prefix.Overlaps(route));
}

/// <summary>What a rule lets through to some destinations.</summary>
internal sealed record ProgramAccess(RuleSide Target, ImmutableArray<byte> Protocols, ImmutableArray<PortSpan> Ports);

/// <summary>A rule of the text, as facts.</summary>
/// <param name="Via">Facts of the routers' tags; empty for any way.</param>
/// <param name="Granted">Whom its application capabilities are shown to; null when it grants none.</param>
internal sealed record ProgramRule(
    PolicyRule Origin, RuleSide Source, ImmutableArray<ProgramAccess> Accesses, ImmutableArray<int> Via, RuleSide? Granted)
{
    public bool HasVia => !Via.IsEmpty;

    /// <summary>"acls[3] (line 12)".</summary>
    public string Name { get; } = Origin.ToString();

    /// <summary>The facts of every side that means the source's own user.</summary>
    public int[] Selves { get; } =
        [.. Accesses.Select(access => access.Target).Concat(Granted is null ? [] : [Granted]).Where(side => side.Self >= 0).Select(side => side.Self).Distinct()];

    public bool IsVia(PolicyClass router) => router.Any(Via.AsSpan()) != FactFlags.None;

    /// <summary>Whether the rule lets something through to nodes of a class, or to what they route, whoever the sender's user is.</summary>
    public bool Leads(PolicyClass to)
    {
        if (HasVia && !IsVia(to)) return false;
        foreach (var access in Accesses)
            if (HasVia ? access.Target.LeadsVia(to) : access.Target.Of(to) != FactFlags.None) return true;
        return false;
    }
}
