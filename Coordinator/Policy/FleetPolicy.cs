using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy;

/// <summary>
/// A policy's program over the classes and routes that a network has at a time: what nodes of each class accept. Immutable: a node
/// that joins or leaves makes another, which shares all but what the change touches; one that joins a class that is there already
/// changes no filter, one that opens a class only those whose rules have it as a source.
/// </summary>
public sealed class FleetPolicy
{
    private readonly ImmutableSortedDictionary<ulong, ClassMembers> _classes;
    private readonly ImmutableSortedDictionary<IpPrefix, int> _routes;
    private readonly FleetFilters _filters;

    public FleetPolicy(PolicyProgram program)
        : this(program, ImmutableSortedDictionary<ulong, ClassMembers>.Empty, ImmutableSortedDictionary<IpPrefix, int>.Empty)
    {
    }

    private FleetPolicy(
        PolicyProgram program, ImmutableSortedDictionary<ulong, ClassMembers> classes, ImmutableSortedDictionary<IpPrefix, int> routes, FleetFilters? filters = null) =>
        (Program, _classes, _routes, _filters) = (program, classes, routes, filters ?? new FleetFilters(program, classes, routes));

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
            program, classes.ToImmutableSortedDictionary(entry => entry.Key, entry => new ClassMembers(entry.Value.Class, entry.Value.Nodes.ToImmutable())),
            routes.ToImmutableSortedDictionary());
    }

    /// <summary>What nodes of a class accept; empty accepts nothing.</summary>
    public ImmutableArray<ClassRule> IngressOf(PolicyClass receiver)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        return _filters.IngressOf(receiver);
    }

    /// <summary>Whether a packet from a node's own address is let in by the node that serves an address.</summary>
    /// <param name="port">Means nothing for protocols without ports.</param>
    public bool Allows(PolicySubject sender, IpPrefix source, PolicySubject receiver, IpPrefix destination, byte protocol, ushort port) =>
        RulesFor(sender, source, receiver, destination, protocol, port).Any();

    /// <summary>The rules that let such a packet in; none for one that is denied.</summary>
    /// <inheritdoc cref="Allows"/>
    public IEnumerable<ClassRule> RulesFor(PolicySubject sender, IpPrefix source, PolicySubject receiver, IpPrefix destination, byte protocol, ushort port) =>
        RulesBetween(sender, source, receiver, destination).Where(rule => rule.LetsThrough(protocol, port));

    /// <summary>The rules that let something in from one address to the other, whatever protocols and ports they are for.</summary>
    public IEnumerable<ClassRule> RulesBetween(PolicySubject sender, IpPrefix source, PolicySubject receiver, IpPrefix destination)
    {
        ArgumentNullException.ThrowIfNull(sender);
        ArgumentNullException.ThrowIfNull(receiver);
        var senderClass = Program.ClassOf(sender).Id;
        return source.IsIPv6 != destination.IsIPv6 ? [] : IngressOf(Program.ClassOf(receiver)).Where(rule =>
            rule.Classes.Contains(senderClass) && rule.IsFor(source.IsIPv6)
            && (!rule.SameOwner || (sender.EffectiveOwnerId != 0 && sender.EffectiveOwnerId == receiver.EffectiveOwnerId))
            && rule.LeadsTo(receiver, destination));
    }

    private FleetPolicy Change(PolicySubject subject, int by)
    {
        var touched = Program.ClassOf(subject);
        var nodes = _classes.TryGetValue(touched.Id.Value, out var entry) ? entry.Nodes : [];
        nodes = by > 0 ? nodes.Add(subject.Id) : nodes.Remove(subject.Id);
        var classes = nodes.IsEmpty ? _classes.Remove(touched.Id.Value) : _classes.SetItem(touched.Id.Value, new ClassMembers(touched, nodes));
        var routes = _routes;
        foreach (var route in subject.Routes)
        {
            int routers = routes.GetValueOrDefault(route) + by;
            routes = routers > 0 ? routes.SetItem(route, routers) : routes.Remove(route);
        }
        bool sameClasses = classes.Count == _classes.Count, sameRoutes = routes.Count == _routes.Count;
        return new FleetPolicy(Program, classes, routes, sameClasses && sameRoutes ? _filters : _filters.With(classes, routes, sameClasses ? null : touched, !sameRoutes));
    }
}
