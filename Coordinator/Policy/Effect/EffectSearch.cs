using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Mesh.Coordinator.Policy.Effect;

/// <summary>
/// Compares what two policies let through, between classes and never between pairs of machines:
/// <list type="number">
/// <item>Machines that both policies hold for the same are one group.</item>
/// <item>For each group that receives, the rules that one policy has and the other has not name the groups that may be touched.</item>
/// <item>For each of these, what all rules of either policy let through; groups that receive by the same rules are compared once.</item>
/// <item>Where the same groups lose or gain the same at several groups, that is one change.</item>
/// </list>
/// What routers lead to is left out. Used once.
/// </summary>
internal sealed class EffectSearch
{
    /// <summary>Of groups looked at, a few seconds' worth; a search that goes beyond ends, and says so.</summary>
    private const long MaxSteps = 50_000_000;

    private readonly IReadOnlyList<NamedSubject> _machines;
    private readonly Side _before;
    private readonly Side _after;
    private readonly List<Group> _groups = [];
    private readonly bool _haveBoth;
    private readonly Dictionary<RightsPair, Comparison> _compared = [];
    private readonly Dictionary<(Comparison?, Comparison?), ImmutableArray<(AccessDifference, IndexSet)>> _told = [];
    private long _steps;

    /// <param name="before">Over the machines.</param>
    /// <param name="after">Over the machines.</param>
    public EffectSearch(FleetPolicy before, FleetPolicy after, IReadOnlyList<NamedSubject> machines)
    {
        _machines = machines;
        Dictionary<(ClassId, ClassId, bool, bool), Group> groups = [];
        for (int i = 0; i < machines.Count; i++)
        {
            var subject = machines[i].Subject;
            PolicyClass was = before.Program.ClassOf(subject), becomes = after.Program.ClassOf(subject);
            ref var group = ref CollectionsMarshal.GetValueRefOrAddDefault(groups, (was.Id, becomes.Id, subject.IPv4 is null, subject.IPv6 is null), out bool known);
            if (!known) _groups.Add(group = new Group(was, becomes, subject, []));
            group!.Machines.Add(i);
        }
        _haveBoth = _groups.TrueForAll(group => group.Subject is { IPv4: not null, IPv6: not null });
        _before = new Side(before, _groups, group => group.Before);
        _after = new Side(after, _groups, group => group.After);
    }

    /// <summary>False when there was too much to compare, and what was found is not all.</summary>
    public bool IsComplete => _steps + _before.Steps + _after.Steps < MaxSteps;

    /// <summary>Every change, in no order.</summary>
    public IEnumerable<AccessChange> Run()
    {
        Dictionary<(AccessDifference, IndexSet), List<int>> found = [];
        IndexSet everybody = new(Enumerable.Range(0, _groups.Count));
        for (int receiver = 0; receiver < _groups.Count && IsComplete; receiver++)
        {
            foreach (var (difference, senders) in ChangesOf(_groups[receiver]))
            {
                // Of a single machine it does not matter what it may do to itself: so it is one with those for whom all others change.
                bool allOthers = senders.Items.Length == _groups.Count - 1 && _groups[receiver].Machines.Count == 1 && senders.Items.BinarySearch(receiver) < 0;
                ref var receivers = ref CollectionsMarshal.GetValueRefOrAddDefault(found, (difference, allOthers ? everybody : senders), out _);
                (receivers ??= []).Add(receiver);
            }
        }
        return found.Select(entry => new AccessChange(entry.Key.Item1, MachinesOf(entry.Key.Item2.Items), MachinesOf(entry.Value)));
    }

    private ImmutableArray<int> MachinesOf(IEnumerable<int> groups) => [.. groups.SelectMany(group => _groups[group].Machines).Order()];

    private ImmutableArray<(AccessDifference, IndexSet)> ChangesOf(Group receiver)
    {
        var four = receiver.Subject.IPv4 is { } address ? Compare(receiver, address) : null;
        var six = receiver.Subject.IPv6 is { } longer ? Compare(receiver, longer) : null;
        if (_told.TryGetValue((four, six), out var known)) return known;
        Dictionary<AccessDifference, List<int>> changes = [];
        if (four == six && _haveBoth)
        {
            foreach (var (difference, senders) in four!.Parts) Add(difference.In(IpFamily.Both), senders.AsSpan());
        }
        else
        {
            foreach (int sender in (four?.Senders ?? []).Union(six?.Senders ?? []))
            {
                _steps++;
                var subject = _groups[sender].Subject;
                var byFour = subject.IPv4 is null ? null : four?.Of(sender);
                var bySix = subject.IPv6 is null ? null : six?.Of(sender);
                if (byFour is null || bySix is null || byFour == bySix)
                {
                    Add((byFour ?? bySix)?.In(IpFamily.Both), [sender]);
                    continue;
                }
                Add(byFour.In(IpFamily.IPv4), [sender]);
                Add(bySix.In(IpFamily.IPv6), [sender]);
            }
        }
        return _told[(four, six)] = [.. changes.Select(entry => (entry.Key, new IndexSet(entry.Value)))];

        void Add(IEnumerable<AccessDifference>? differences, ReadOnlySpan<int> senders)
        {
            foreach (var difference in differences ?? [])
            {
                ref var all = ref CollectionsMarshal.GetValueRefOrAddDefault(changes, difference, out _);
                (all ??= []).AddRange(senders);
            }
        }
    }

    /// <summary>What changes for each group that sends to an address of a group.</summary>
    private Comparison Compare(Group receiver, IpPrefix address)
    {
        var rights = new RightsPair(_before.RightsOf(receiver.Before, address), _after.RightsOf(receiver.After, address));
        return _compared.TryGetValue(rights, out var known) ? known : _compared[rights] = Compare(rights);
    }

    private Comparison Compare(RightsPair rights)
    {
        HashSet<Right> changed = [.. rights.Before];
        changed.SymmetricExceptWith(rights.After);
        // Each touched group comes from mark to mark as the rules that name it go by: those of the same mark are named by the same rules.
        int[] marks = new int[_groups.Count];
        List<int> touched = [];
        foreach (int sender in changed.SelectMany(right => right.Senders.Items))
        {
            if (marks[sender] != 0) continue;
            marks[sender] = 1;
            touched.Add(sender);
        }
        List<(int Earlier, int Right)> trail = [default, default];
        Right[] all = [.. rights.Before, .. rights.After];
        for (int i = 0; i < all.Length && touched.Count > 0; i++) Mark(i);
        Dictionary<Difference, List<int>> parts = [];
        foreach (var same in touched.GroupBy(sender => marks[sender]))
        {
            List<Right> before = [], after = [];
            for (int mark = same.Key; mark > 1; mark = trail[mark].Earlier)
                (trail[mark].Right < rights.Before.Length ? before : after).Add(all[trail[mark].Right]);
            var difference = Difference.Between(before, after);
            if (difference == Difference.None) continue;
            ref var senders = ref CollectionsMarshal.GetValueRefOrAddDefault(parts, difference, out _);
            (senders ??= []).AddRange(same);
        }
        return new Comparison([.. parts.Select(part => (part.Key, part.Value.ToImmutableArray()))]);

        void Mark(int right)
        {
            Dictionary<int, int> next = [];
            foreach (int sender in all[right].Senders.Items)
            {
                _steps++;
                int mark = marks[sender];
                if (mark == 0) continue;
                if (!next.TryGetValue(mark, out int reached))
                {
                    next[mark] = reached = trail.Count;
                    trail.Add((mark, right));
                }
                marks[sender] = reached;
            }
        }
    }

    /// <param name="Subject">One of them, for its addresses: what an address in a rule means of them all.</param>
    private sealed record Group(PolicyClass Before, PolicyClass After, PolicySubject Subject, List<int> Machines);

    /// <summary>What a rule lets groups do at a receiver.</summary>
    private readonly record struct Right(IndexSet Senders, bool SameOwner, ServiceSet Services);

    private readonly struct RightsPair(ImmutableArray<Right> before, ImmutableArray<Right> after) : IEquatable<RightsPair>
    {
        public ImmutableArray<Right> Before { get; } = before;

        public ImmutableArray<Right> After { get; } = after;

        public bool Equals(RightsPair other) => Before.SequenceEqual(other.Before) && After.SequenceEqual(other.After);

        public override bool Equals(object? obj) => obj is RightsPair other && Equals(other);

        public override int GetHashCode()
        {
            var hash = new HashCode();
            foreach (var right in Before) hash.Add(right);
            hash.Add(0);
            foreach (var right in After) hash.Add(right);
            return hash.ToHashCode();
        }
    }

    /// <summary>What is let through before and after, to anybody, and to the sender's own user as well.</summary>
    private sealed record Difference(ServiceSet Before, ServiceSet After, ServiceSet OwnBefore, ServiceSet OwnAfter)
    {
        public static Difference None { get; } = new(ServiceSet.Empty, ServiceSet.Empty, ServiceSet.Empty, ServiceSet.Empty);

        public static Difference Between(IReadOnlyList<Right> before, IReadOnlyList<Right> after)
        {
            var difference = new Difference(Of(before, false), Of(after, false), Of(before, true), Of(after, true));
            return difference.Before.Equals(difference.After) && difference.OwnBefore.Equals(difference.OwnAfter) ? None : difference;
        }

        public IEnumerable<AccessDifference> In(IpFamily family) => [.. In(family, true, Before, After, OwnBefore, OwnAfter), .. In(family, false, After, Before, OwnAfter, OwnBefore)];

        private static IEnumerable<AccessDifference> In(IpFamily family, bool isGain, ServiceSet less, ServiceSet more, ServiceSet ownLess, ServiceSet ownMore)
        {
            ServiceSet others = more.Except(less), own = ownMore.Except(ownLess);
            if (others.Equals(own))
            {
                if (!own.IsEmpty) yield return new AccessDifference(isGain, PairKind.All, own, family);
                yield break;
            }
            if (!own.IsEmpty) yield return new AccessDifference(isGain, PairKind.SameOwner, own, family);
            if (!others.IsEmpty) yield return new AccessDifference(isGain, PairKind.OtherOwner, others, family);
        }

        private static ServiceSet Of(IEnumerable<Right> rights, bool own) => ServiceSet.Union(rights.Where(right => own || !right.SameOwner).Select(right => right.Services));
    }

    /// <summary>The groups that send to a receiver, by what changes for them; only those for whom something does.</summary>
    private sealed class Comparison(ImmutableArray<(Difference Difference, ImmutableArray<int> Senders)> parts)
    {
        private Dictionary<int, Difference>? _bySender;

        public ImmutableArray<(Difference Difference, ImmutableArray<int> Senders)> Parts { get; } = parts;

        public IEnumerable<int> Senders => Parts.SelectMany(part => part.Senders);

        public Difference Of(int sender) => (_bySender ??= Parts.SelectMany(part => part.Senders.Select(sender => (sender, part.Difference))).ToDictionary())
            .GetValueOrDefault(sender, Difference.None);
    }

    /// <summary>A policy, with its classes as groups.</summary>
    private sealed class Side(FleetPolicy fleet, List<Group> groups, Func<Group, PolicyClass> classOf)
    {
        private readonly ILookup<ClassId, int> _groupsOf = Enumerable.Range(0, groups.Count).ToLookup(i => classOf(groups[i]).Id);
        private readonly Dictionary<ImmutableArray<ClassId>, IndexSet> _senders = [];
        private readonly Dictionary<(ImmutableArray<byte>, ImmutableArray<PortSpan>), ServiceSet> _services = [];

        public long Steps { get; private set; }

        /// <summary>What may be sent to an address of a class's node.</summary>
        public ImmutableArray<Right> RightsOf(PolicyClass receiver, IpPrefix address) =>
        [
            .. fleet.IngressOf(receiver)
                .Where(rule => !rule.Classes.IsEmpty && (rule.Family == IpFamily.Both || (rule.Family == IpFamily.IPv6) == address.IsIPv6)
                    && (rule.Destinations.IsEmpty || rule.Destinations.Any(prefix => prefix.Contains(address))))
                .Select(rule => new Right(SendersOf(rule.Classes), rule.SameOwner, ServicesOf(rule)))
                .Distinct(),
        ];

        private IndexSet SendersOf(ImmutableArray<ClassId> classes)
        {
            if (_senders.TryGetValue(classes, out var known)) return known;
            Steps += classes.Length;
            return _senders[classes] = new IndexSet(classes.SelectMany(id => _groupsOf[id]));
        }

        private ServiceSet ServicesOf(ClassRule rule) => _services.TryGetValue((rule.Protocols, rule.Ports), out var known)
            ? known : _services[(rule.Protocols, rule.Ports)] = ServiceSet.Of(rule.Protocols, rule.Ports);
    }
}
