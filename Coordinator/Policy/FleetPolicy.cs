using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy;

/// <summary>
/// A policy's program over the classes and routes that a network has at a time: what nodes of each class accept. Immutable: a node
/// that joins or leaves makes another, which shares all but what the change touches; one that joins a class that is there already
/// changes no filter.
/// </summary>
public sealed class FleetPolicy
{
    private static readonly ImmutableArray<IpPrefix> Anywhere = [IpPrefix.AllIPv4, IpPrefix.AllIPv6];

    private readonly ImmutableSortedDictionary<ulong, Members> _classes;
    private readonly ImmutableSortedDictionary<IpPrefix, int> _routes;
    private readonly FilterCache _filters;

    public FleetPolicy(PolicyProgram program)
        : this(program, ImmutableSortedDictionary<ulong, Members>.Empty, ImmutableSortedDictionary<IpPrefix, int>.Empty, new FilterCache())
    {
    }

    private FleetPolicy(
        PolicyProgram program, ImmutableSortedDictionary<ulong, Members> classes, ImmutableSortedDictionary<IpPrefix, int> routes, FilterCache filters) =>
        (Program, _classes, _routes, _filters) = (program, classes, routes, filters);

    public PolicyProgram Program { get; }

    public IEnumerable<PolicyClass> Classes => _classes.Values.Select(entry => entry.Class);

    /// <summary>Null for a class that no node is in.</summary>
    public PolicyClass? Find(ClassId id) => _classes.TryGetValue(id.Value, out var entry) ? entry.Class : null;

    /// <summary>The ids of a class's nodes, in no order; none for a class that no node is in.</summary>
    public IReadOnlyCollection<ulong> MembersOf(ClassId id) => _classes.TryGetValue(id.Value, out var entry) ? entry.Nodes : [];

    public FleetPolicy With(PolicySubject subject) => Change(subject, 1);

    public FleetPolicy Without(PolicySubject subject) => Change(subject, -1);

    public static FleetPolicy Of(PolicyProgram program, IEnumerable<PolicySubject> subjects)
    {
        ArgumentNullException.ThrowIfNull(subjects);
        Dictionary<ulong, (PolicyClass Class, ImmutableHashSet<ulong>.Builder Nodes)> classes = [];
        Dictionary<IpPrefix, int> routes = [];
        foreach (var subject in subjects)
        {
            var found = program.ClassOf(subject);
            if (!classes.TryGetValue(found.Id.Value, out var entry))
                classes[found.Id.Value] = entry = (found, ImmutableHashSet.CreateBuilder<ulong>());
            entry.Nodes.Add(subject.Id);
            foreach (var route in subject.Routes) routes[route] = routes.GetValueOrDefault(route) + 1;
        }
        return new FleetPolicy(
            program, classes.ToImmutableSortedDictionary(entry => entry.Key, entry => new Members(entry.Value.Class, entry.Value.Nodes.ToImmutable())),
            routes.ToImmutableSortedDictionary(), new FilterCache());
    }

    /// <summary>What nodes of a class accept; empty accepts nothing.</summary>
    public ImmutableArray<ClassRule> IngressOf(PolicyClass receiver)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        return _filters.Ingress.GetOrAdd(receiver.Id, static (_, state) => [.. state.Fleet.Compile(state.Receiver).Distinct()], (Fleet: this, Receiver: receiver));
    }

    /// <summary>Whether a packet from a node's own address is let in by the node that serves an address.</summary>
    /// <param name="port">Means nothing for protocols without ports.</param>
    public bool Allows(PolicySubject sender, IpPrefix source, PolicySubject receiver, IpPrefix destination, byte protocol, ushort port) =>
        RulesFor(sender, source, receiver, destination, protocol, port).Any();

    /// <summary>The rules that let such a packet in; none for one that is denied.</summary>
    /// <inheritdoc cref="Allows"/>
    public IEnumerable<ClassRule> RulesFor(PolicySubject sender, IpPrefix source, PolicySubject receiver, IpPrefix destination, byte protocol, ushort port) =>
        RulesBetween(sender, source, receiver, destination).Where(rule =>
            (rule.Protocols.IsEmpty ? IpProtocols.Default : rule.Protocols).Contains(protocol)
            && (!IpProtocols.HasPorts(protocol) || rule.Ports.IsEmpty || rule.Ports.Any(span => span.First <= port && port <= span.Last)));

    /// <summary>The rules that let something in from one address to the other, whatever protocols and ports they are for.</summary>
    public IEnumerable<ClassRule> RulesBetween(PolicySubject sender, IpPrefix source, PolicySubject receiver, IpPrefix destination)
    {
        ArgumentNullException.ThrowIfNull(sender);
        ArgumentNullException.ThrowIfNull(receiver);
        var senderClass = Program.ClassOf(sender).Id;
        return source.IsIPv6 != destination.IsIPv6 ? [] : IngressOf(Program.ClassOf(receiver)).Where(rule =>
            rule.Classes.Contains(senderClass) && (rule.Family == IpFamily.Both || (rule.Family == IpFamily.IPv6) == source.IsIPv6)
            && (!rule.SameOwner || (sender.EffectiveOwnerId != 0 && sender.EffectiveOwnerId == receiver.EffectiveOwnerId))
            && (rule.Destinations.IsEmpty ? receiver.Addresses.Contains(destination) : rule.Destinations.Any(prefix => prefix.Contains(destination))));
    }

    private FleetPolicy Change(PolicySubject subject, int by)
    {
        var touched = Program.ClassOf(subject);
        var nodes = _classes.TryGetValue(touched.Id.Value, out var entry) ? entry.Nodes : [];
        nodes = by > 0 ? nodes.Add(subject.Id) : nodes.Remove(subject.Id);
        var classes = nodes.IsEmpty ? _classes.Remove(touched.Id.Value) : _classes.SetItem(touched.Id.Value, new Members(touched, nodes));
        var routes = _routes;
        foreach (var route in subject.Routes)
        {
            int routers = routes.GetValueOrDefault(route) + by;
            routes = routers > 0 ? routes.SetItem(route, routers) : routes.Remove(route);
        }
        bool same = classes.Count == _classes.Count && routes.Count == _routes.Count;
        return new FleetPolicy(Program, classes, routes, same ? _filters : new FilterCache());
    }

    private IEnumerable<ClassRule> Compile(PolicyClass receiver)
    {
        foreach (var rule in Program.Rules)
        {
            if (rule.HasVia && !rule.IsVia(receiver)) continue;
            foreach (var access in rule.Accesses)
            {
                foreach (var (destinations, sameOwner) in DestinationsOf(rule, access.Target, receiver))
                    foreach (var compiled in RulesOf(rule, access, destinations, sameOwner)) yield return compiled;
            }
        }
    }

    /// <summary>What of the receiver a side means: its own addresses (empty), or prefixes.</summary>
    internal static IEnumerable<(ImmutableArray<IpPrefix> Destinations, bool SameOwner)> DestinationsOf(ProgramRule rule, RuleSide target, PolicyClass receiver)
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
        if (PolicyProgram.MeansSelf(target, receiver, receiver) && (rule.Source.Of(receiver) & FactFlags.Own) != 0) yield return ([], true);
    }

    private static ImmutableArray<IpPrefix> PrefixesOf(RuleSide target, PolicyClass receiver, FactFlags which)
    {
        var prefixes = target.Literals.Where(literal => (receiver[literal.Fact] & which) != 0).Select(literal => literal.Prefix);
        return [.. target.IsExit(receiver) ? prefixes.Concat(Internet.Prefixes) : prefixes];
    }

    private IEnumerable<ClassRule> RulesOf(ProgramRule rule, ProgramAccess access, ImmutableArray<IpPrefix> destinations, bool sameOwner)
    {
        var (classes, sources) = _filters.Sources.GetValue(rule, SourcesOf);
        foreach (var (family, ids) in classes)
        {
            var named = sameOwner ? [.. ids.Where(id => _classes[id.Value].Class[access.Target.Self] != FactFlags.None)] : ids;
            var routed = family == IpFamily.Both && !sameOwner ? sources : [];
            if (named.IsEmpty && routed.IsEmpty) continue;
            yield return new ClassRule(named)
            {
                SameOwner = sameOwner, Family = family, Sources = routed, Protocols = access.Protocols, Ports = access.Ports,
                Destinations = destinations, Origin = rule.Origin.ToString(),
            };
        }
    }

    /// <summary>The classes that a rule's source means, by the family of addresses it means of them, and the prefixes behind routers.</summary>
    private RuleSources SourcesOf(ProgramRule rule)
    {
        var source = rule.Source;
        List<ClassId> both = [], four = [], six = [];
        foreach (var candidate in Classes)
        {
            switch (source.Of(candidate) & FactFlags.Own)
            {
                case FactFlags.Own: both.Add(candidate.Id); break;
                case FactFlags.OwnIPv4: four.Add(candidate.Id); break;
                case FactFlags.OwnIPv6: six.Add(candidate.Id); break;
            }
        }
        ImmutableArray<IpPrefix> prefixes = source.AnyAddress ? Anywhere
            : [.. source.Literals.Select(literal => literal.Prefix), .. source.Everything ? _routes.Keys.Where(route => !route.IsDefaultRoute) : []];
        return new RuleSources([(IpFamily.Both, [.. both]), (IpFamily.IPv4, [.. four]), (IpFamily.IPv6, [.. six])], prefixes);
    }

    /// <summary>A class and the ids of its nodes.</summary>
    private sealed record Members(PolicyClass Class, ImmutableHashSet<ulong> Nodes);

    private sealed record RuleSources(ImmutableArray<(IpFamily Family, ImmutableArray<ClassId> Classes)> Classes, ImmutableArray<IpPrefix> Prefixes);

    /// <summary>What follows from the classes and routes alone, computed when it is asked for.</summary>
    private sealed class FilterCache
    {
        public ConcurrentDictionary<ClassId, ImmutableArray<ClassRule>> Ingress { get; } = new();

        public ConditionalWeakTable<ProgramRule, RuleSources> Sources { get; } = [];
    }
}
