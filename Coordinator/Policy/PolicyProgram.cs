using System.Collections.Concurrent;
using System.Collections.Immutable;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy;

/// <summary>Whether nodes of two classes stand in each other's maps.</summary>
public enum ClassRelation
{
    None,

    /// <summary>Where both belong to one user (autogroup:self).</summary>
    SameOwner,

    All,
}

/// <summary>
/// A policy's rules over facts about nodes, independent of which nodes there are. Says which class a node is in, and what holds
/// between two classes. Immutable but for caches; thread-safe.
/// </summary>
public sealed class PolicyProgram
{
    private static readonly PolicyRule AllowAll = new("acls", 0, default)
    {
        Sources = [new Selector(SelectorKind.Everything, "*", default)],
        Accesses = [new PolicyAccess([new Selector(SelectorKind.Everything, "*", default)], [], [])],
    };

    private readonly FactTable _facts;
    private readonly ConcurrentDictionary<FactKey, PolicyClass> _classes = new();
    private readonly ConcurrentDictionary<ClassId, PolicyClass> _classesById = new();

    public PolicyProgram(PolicyDocument document)
    {
        ArgumentNullException.ThrowIfNull(document);
        Document = document;
        var builder = new FactTable.Builder();
        int place = 0;
        List<Func<ProgramRule>> rules = [];
        // A rule that asks for a posture grants nothing: nobody checks postures here.
        foreach (var rule in (document.AllowsAllByDefault ? [AllowAll] : document.Rules).Where(rule => !rule.NeedsPosture))
        {
            var source = Side(rule.Sources, place++);
            var accesses = rule.Accesses.Select(access => (Side: Side(access.Destinations, place++), Access: access)).ToList();
            var granted = rule.Capabilities.IsEmpty ? null : Side(rule.Destinations, place++);
            int[] via = [.. rule.Via.Select(tag => builder.Use(document, new Selector(SelectorKind.Tag, tag, default), place))];
            place++;
            rules.Add(() => new ProgramRule(
                rule, source(), [.. accesses.Select(access => new ProgramAccess(access.Side(), access.Access.Protocols, access.Access.Ports))],
                [.. via.Select(builder.FactOf).Distinct()], granted?.Invoke()));
        }
        _facts = builder.Build(document);
        Rules = [.. rules.Select(rule => rule())];

        Func<RuleSide> Side(ImmutableArray<Selector> selectors, int at)
        {
            bool everything = selectors.Any(selector => selector.Kind == SelectorKind.Everything);
            bool any = selectors.Any(selector => selector.Kind == SelectorKind.DangerAll);
            int internet = Special(SelectorKind.Internet, SelectorKind.Internet);
            int self = Special(SelectorKind.Self, SelectorKind.Member);
            int[] nodes = [.. selectors.Where(IsNodes).Select(selector => builder.Use(document, selector, at))];
            (int Number, IpPrefix Prefix)[] literals =
                [.. selectors.Where(selector => selector.IsLiteral).Select(selector => (builder.Use(document, selector, at), document.LiteralOf(selector)!.Value))];
            return () => new RuleSide(
                everything, any, internet < 0 ? -1 : builder.FactOf(internet), self < 0 ? -1 : builder.FactOf(self),
                [.. nodes.Select(builder.FactOf).Distinct()], [.. literals.Select(literal => (builder.FactOf(literal.Number), literal.Prefix)).Distinct()]);

            // autogroup:self tells nodes without tags from others, on a side of its own.
            int Special(SelectorKind kind, SelectorKind asked) => selectors.Any(selector => selector.Kind == kind)
                ? builder.Use(document, new Selector(asked, $"autogroup:{(asked == SelectorKind.Member ? "member" : "internet")}", default), kind == SelectorKind.Self ? -1 - at : at)
                : -1;
        }
    }

    public PolicyDocument Document { get; }

    internal ImmutableArray<ProgramRule> Rules { get; }

    /// <summary>A class that a node was in once; null for any other.</summary>
    public PolicyClass? Find(ClassId id) => _classesById.GetValueOrDefault(id);

    public PolicyClass ClassOf(PolicySubject subject)
    {
        ArgumentNullException.ThrowIfNull(subject);
        var key = new FactKey(_facts.Of(subject));
        return _classes.GetOrAdd(key, static (key, program) =>
        {
            var id = ClassId.Of(program._facts.MeaningOf(key.Facts));
            return program._classesById.GetOrAdd(id, static (id, state) => new PolicyClass(id, state.Facts, state.Rules), (key.Facts, program.Rules));
        }, this);
    }

    /// <exception cref="ArgumentException">A class of another program: its rules are not these.</exception>
    public ClassRelation RelationOf(PolicyClass one, PolicyClass other)
    {
        ArgumentNullException.ThrowIfNull(one);
        ArgumentNullException.ThrowIfNull(other);
        if (one.Rules != Rules || other.Rules != Rules) throw new ArgumentException("A class of another program.");
        if (one.Begins.Overlaps(other.Reached) || other.Begins.Overlaps(one.Reached)) return ClassRelation.All;
        return (one.BeginsWithOwn && other.IsOwn) || (other.BeginsWithOwn && one.IsOwn) ? ClassRelation.SameOwner : ClassRelation.None;
    }

    private static bool IsNodes(Selector selector) => selector.Kind
        is SelectorKind.Member or SelectorKind.Tagged or SelectorKind.User or SelectorKind.UserDomain or SelectorKind.Group or SelectorKind.Tag;

    private readonly struct FactKey(FactFlags[] facts) : IEquatable<FactKey>
    {
        private readonly int _hash = HashOf(facts);

        public FactFlags[] Facts { get; } = facts;

        public bool Equals(FactKey other) => Facts.AsSpan().SequenceEqual(other.Facts);

        public override bool Equals(object? obj) => obj is FactKey other && Equals(other);

        public override int GetHashCode() => _hash;

        private static int HashOf(FactFlags[] facts)
        {
            var hash = new HashCode();
            hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(facts.AsSpan()));
            return hash.ToHashCode();
        }
    }
}
