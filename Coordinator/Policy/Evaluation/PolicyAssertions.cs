using System.Collections.Immutable;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Evaluation;

/// <summary>
/// Runs the "tests" of a policy on a fleet, class by class: pairs of nodes are many, pairs of classes are few. A source that is nobody,
/// and a destination that is nowhere, fail: an assertion about nothing asserts nothing.
/// </summary>
public sealed class PolicyAssertions(PolicyProgram program, IReadOnlyList<PolicySubject> subjects)
{
    private const byte Tcp = 6;

    private readonly Lazy<FleetPolicy> _fleet = new(() => FleetPolicy.Of(program, subjects));

    /// <summary>What does not hold, in the order of the text; empty when all does.</summary>
    public ImmutableArray<PolicyProblem> Run() => [.. program.Document.Tests.SelectMany(Run)];

    private IEnumerable<PolicyProblem> Run(PolicyTest test)
    {
        var sources = PlacesOf(test.Source);
        HashSet<IpPrefix> sending = [.. sources.Select(source => source.Address)];
        var senders = Grouped(sources);
        foreach (var (destination, wanted) in test.Accept.Select(accept => (accept, true)).Concat(test.Deny.Select(deny => (deny, false))))
        {
            var targets = PlacesOf(destination.Target);
            // An address that no node has may lie behind routers.
            bool routed = targets.Count == 0;
            if (routed && program.Document.LiteralOf(destination.Target) is { } literal)
                targets = [.. subjects.Where(node => node.Routes.Any(route => route.Contains(literal))).Select(node => new Place(node, literal))];
            string? fault = sources.Count == 0 ? $"no machine is {test.Source}" : targets.Count == 0 ? $"nothing is at {destination.Target}" : null;
            if (fault is null)
            {
                var receivers = Grouped(targets);
                byte protocol = test.Protocol ?? Tcp;
                bool holds = wanted
                    ? receivers.Keys.Any(to => senders.Keys.Any(from => from.IsIPv6 == to.IsIPv6)) && receivers.All(to => AllReach(senders, to, protocol, destination.Port, routed))
                    // A node reaches itself, whatever the policy says.
                    : !targets.Any(target => sending.Contains(target.Address)) && !receivers.Any(to => AnyReaches(senders, to, protocol, destination.Port));
                if (holds) continue;
                fault = wanted ? $"{test.Source} does not reach {destination.Text}" : $"{test.Source} reaches {destination.Text}";
            }
            yield return new PolicyProblem(destination.Position, "test(s) failed", $"tests[{test.Index}]: {fault}");
        }
    }

    private bool AllReach(Dictionary<Sort, OwnerGroup> senders, KeyValuePair<Sort, OwnerGroup> to, byte protocol, ushort port, bool routed)
    {
        var (anybody, sameOwner) = AllowedInto(to.Key, protocol, port);
        foreach (var (from, group) in senders)
        {
            if (from.IsIPv6 != to.Key.IsIPv6 || anybody.Contains(from.Class) || (!routed && group.IsOneNodeWith(to.Value))) continue;
            if (!sameOwner.Contains(from.Class) || group.DiffersFrom(to.Value)) return false;
        }
        return true;
    }

    private bool AnyReaches(Dictionary<Sort, OwnerGroup> senders, KeyValuePair<Sort, OwnerGroup> to, byte protocol, ushort port)
    {
        var (anybody, sameOwner) = AllowedInto(to.Key, protocol, port);
        return senders.Any(from => from.Key.IsIPv6 == to.Key.IsIPv6
            && (anybody.Contains(from.Key.Class) || (sameOwner.Contains(from.Key.Class) && from.Value.SharesOwnerWith(to.Value))));
    }

    /// <summary>The classes that are let in, whoever the owner is, and where it is one.</summary>
    private (HashSet<ClassId> Anybody, HashSet<ClassId> SameOwner) AllowedInto(Sort to, byte protocol, ushort port)
    {
        HashSet<ClassId> anybody = [], sameOwner = [];
        foreach (var rule in _fleet.Value.IngressOf(_fleet.Value.Find(to.Class)!))
            if (rule.IsFor(to.IsIPv6) && rule.LeadsTo(to.Of, to.Address) && rule.LetsThrough(protocol, port)) (rule.SameOwner ? sameOwner : anybody).UnionWith(rule.Classes);
        return (anybody, sameOwner);
    }

    private List<Place> PlacesOf(Selector selector) =>
    [
        .. subjects.SelectMany(subject => subject.Addresses.Where(address => SubjectMatch.Means(program.Document, selector, subject, address))
            .Select(address => new Place(subject, address))),
    ];

    private Dictionary<Sort, OwnerGroup> Grouped(List<Place> places)
    {
        Dictionary<Sort, OwnerGroup> groups = [];
        foreach (var place in places)
        {
            var sort = new Sort(program.ClassOf(place.Subject).Id, place.Address.IsIPv6, place.Subject, place.Address);
            if (!groups.TryGetValue(sort, out var group)) groups[sort] = group = new OwnerGroup();
            group.Add(place.Subject);
        }
        return groups;
    }

    private sealed record Place(PolicySubject Subject, IpPrefix Address);

    /// <summary>Addresses of one class and version of IP, by one of them. Of exit nodes each: what leads to the internet may mean some.</summary>
    private readonly record struct Sort(ClassId Class, bool IsIPv6, PolicySubject Of, IpPrefix Address)
    {
        public bool Equals(Sort other) =>
            Class == other.Class && IsIPv6 == other.IsIPv6 && Of.IsExitNode == other.Of.IsExitNode && (!Of.IsExitNode || Address == other.Address);

        public override int GetHashCode() => HashCode.Combine(Class, IsIPv6);
    }
}
