using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy;

/// <summary>
/// The filters that follow from a network's classes and routes, each made when it is asked for. A class that comes or goes takes along
/// only the filters whose rules have it as a source: the others stay the same instances.
/// </summary>
internal sealed class FleetFilters
{
    private static readonly ImmutableArray<IpPrefix> Anywhere = [IpPrefix.AllIPv4, IpPrefix.AllIPv6];

    private readonly PolicyProgram _program;
    private readonly ImmutableSortedDictionary<ulong, ClassMembers> _classes;
    private readonly ImmutableSortedDictionary<IpPrefix, int> _routes;

    // What is not there yet is found by whoever needs it first; found twice, it is equal.
    private readonly RuleSources?[] _sources;
    private readonly ConcurrentDictionary<ClassId, ImmutableArray<ClassRule>> _filters = new();
    private readonly Dictionary<ClassId, ImmutableArray<ClassRule>> _before = [];
    private PolicyClass[]? _list;

    public FleetFilters(
        PolicyProgram program, ImmutableSortedDictionary<ulong, ClassMembers> classes, ImmutableSortedDictionary<IpPrefix, int> routes) =>
        (_program, _classes, _routes, _sources) = (program, classes, routes, new RuleSources?[program.Rules.Length]);

    /// <summary>What stays of these filters when a class comes or goes, or routes do.</summary>
    /// <param name="changed">The class that came or went; null for none.</param>
    public FleetFilters With(
        ImmutableSortedDictionary<ulong, ClassMembers> classes, ImmutableSortedDictionary<IpPrefix, int> routes, PolicyClass? changed, bool routesChanged)
    {
        var next = new FleetFilters(_program, classes, routes);
        var touched = new RuleSet(_program.Rules.Length);
        for (int i = 0; i < _sources.Length; i++)
        {
            if (changed?.Sends.Contains(i) == true || (routesChanged && _program.Rules[i].Source.Everything)) touched.Add(i);
            else next._sources[i] = _sources[i];
        }
        foreach (var (id, filter) in _before) next._before[id] = filter;
        foreach (var (id, filter) in _filters)
        {
            if (!classes.TryGetValue(id.Value, out var members)) next._before.Remove(id);
            else if (members.Class.Takes.Overlaps(touched)) next._before[id] = filter;
            else next._filters[id] = filter;
        }
        return next;
    }

    /// <summary>What nodes of a class accept; empty accepts nothing.</summary>
    public ImmutableArray<ClassRule> IngressOf(PolicyClass receiver) =>
        _filters.GetOrAdd(receiver.Id, static (_, state) => state.Filters.Make(state.Receiver), (Filters: this, Receiver: receiver));

    private ImmutableArray<ClassRule> Make(PolicyClass receiver)
    {
        ImmutableArray<ClassRule> made = [.. Compile(receiver).Distinct()];
        // Whoever has been sent the filter before needs no other that says the same.
        return _before.TryGetValue(receiver.Id, out var before) && before.AsSpan().SequenceEqual(made.AsSpan()) ? before : made;
    }

    private IEnumerable<ClassRule> Compile(PolicyClass receiver)
    {
        for (int i = 0; i < _program.Rules.Length; i++)
        {
            if (!receiver.Takes.Contains(i)) continue;
            var rule = _program.Rules[i];
            var sources = _sources[i] ??= SourcesOf(i);
            foreach (var access in rule.Accesses)
            {
                foreach (var (destinations, sameOwner) in DestinationsOf(rule, access.Target, receiver))
                    foreach (var compiled in RulesOf(rule, access, sources, destinations, sameOwner)) yield return compiled;
            }
        }
    }

    /// <summary>What of the receiver a side means: its own addresses (empty), or prefixes.</summary>
    private static IEnumerable<(ImmutableArray<IpPrefix> Destinations, bool SameOwner)> DestinationsOf(ProgramRule rule, RuleSide target, PolicyClass receiver)
    {
        if (rule.HasVia)
        {
            if (PrefixesOf(target, receiver, FactFlags.Routes) is { IsEmpty: false } routed) yield return (routed, false);
            yield break;
        }
        if (target.Everything)
        {
            yield return (Anywhere, false);
            yield break;
        }
        if (receiver.Any(target.Nodes.AsSpan()) != FactFlags.None) yield return ([], false);
        if (PrefixesOf(target, receiver, FactFlags.Own | FactFlags.Routes) is { IsEmpty: false } prefixes) yield return (prefixes, false);
        // Whoever may be the sender is the receiver's own user, whom the source must name too.
        if (target.MeansSelf(receiver, receiver) && (rule.Source.Of(receiver) & FactFlags.Own) != 0) yield return ([], true);
    }

    private static ImmutableArray<IpPrefix> PrefixesOf(RuleSide target, PolicyClass receiver, FactFlags which)
    {
        if (target.Literals.IsEmpty && target.Internet < 0) return [];
        var prefixes = target.Literals.Where(literal => (receiver[literal.Fact] & which) != 0).Select(literal => literal.Prefix);
        return [.. target.IsExit(receiver) ? prefixes.Concat(Internet.Prefixes) : prefixes];
    }

    private static IEnumerable<ClassRule> RulesOf(
        ProgramRule rule, ProgramAccess access, RuleSources sources, ImmutableArray<IpPrefix> destinations, bool sameOwner)
    {
        foreach (var (family, all, ofUsers) in sources.Classes)
        {
            var named = sameOwner ? ofUsers : all;
            var routed = family == IpFamily.Both && !sameOwner ? sources.Prefixes : [];
            if (named.IsEmpty && routed.IsEmpty) continue;
            yield return new ClassRule(named)
            {
                SameOwner = sameOwner, Family = family, Sources = routed, Protocols = access.Protocols, Ports = access.Ports,
                Destinations = destinations, Origin = rule.Name,
            };
        }
    }

    /// <summary>The classes that a rule's source means, by the family of addresses it means of them, and the prefixes behind routers.</summary>
    private RuleSources SourcesOf(int index)
    {
        var rule = _program.Rules[index];
        var source = rule.Source;
        List<PolicyClass> both = [], four = [], six = [];
        foreach (var candidate in _list ??= [.. _classes.Values.Select(members => members.Class)])
        {
            if (!candidate.Sends.Contains(index)) continue;
            (source.Literals.IsEmpty ? both : (source.Of(candidate) & FactFlags.Own) switch
            {
                FactFlags.OwnIPv4 => four,
                FactFlags.OwnIPv6 => six,
                _ => both,
            }).Add(candidate);
        }
        ImmutableArray<IpPrefix> prefixes = source.AnyAddress ? Anywhere
            : [.. source.Literals.Select(literal => literal.Prefix), .. source.Everything ? _routes.Keys.Where(route => !route.IsDefaultRoute) : []];
        bool asks = rule.Selves.Length > 0;
        return new RuleSources(
            [SourceClasses.Of(IpFamily.Both, both, asks), SourceClasses.Of(IpFamily.IPv4, four, asks), SourceClasses.Of(IpFamily.IPv6, six, asks)], prefixes);
    }

    /// <summary>Whom a rule's source means.</summary>
    private sealed record RuleSources(ImmutableArray<SourceClasses> Classes, ImmutableArray<IpPrefix> Prefixes);

    /// <param name="OfUsers">Of all, those whose nodes are ones of a user; none where the rule does not ask.</param>
    private readonly record struct SourceClasses(IpFamily Family, ImmutableArray<ClassId> All, ImmutableArray<ClassId> OfUsers)
    {
        public static SourceClasses Of(IpFamily family, List<PolicyClass> classes, bool asks) =>
            new(family, [.. classes.Select(found => found.Id)], asks ? [.. classes.Where(found => found.IsOwn).Select(found => found.Id)] : []);
    }
}

/// <summary>A class and the ids of its nodes.</summary>
internal sealed record ClassMembers(PolicyClass Class, ImmutableHashSet<ulong> Nodes);
