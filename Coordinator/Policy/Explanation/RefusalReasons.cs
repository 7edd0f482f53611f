using System.Collections.Immutable;
using System.Globalization;
using Mesh.Coordinator.Policy.Effect;
using Mesh.Coordinator.Policy.Evaluation;

namespace Mesh.Coordinator.Policy.Explanation;

/// <summary>Why nothing allows what was asked of two machines.</summary>
internal sealed class RefusalReasons(FleetPolicy fleet)
{
    /// <summary>Rules that are named one by one; the others are counted.</summary>
    private const int MaxRules = 5;

    private readonly PolicyProgram _program = fleet.Program;

    public IEnumerable<string> Of(PolicyExplainer.Place source, PolicyExplainer.Place to)
    {
        yield return Main(source, to);
        foreach (var rule in _program.Document.Rules.Where(rule => rule.NeedsPosture && rule.Sources.Any(selector => SubjectMatch.Means(_program.Document, selector, source.Subject))))
            yield return $"{rule} names {source.Name} but asks for a posture, which nobody checks here: it grants nothing";
        yield return Sight(source, to);
    }

    private string Main(PolicyExplainer.Place source, PolicyExplainer.Place to)
    {
        bool[] families = [.. source.Addresses.Select(address => address.IsIPv6).Intersect(to.Addresses.Select(address => address.IsIPv6))];
        if (families.Length == 0) return $"{source.Name} and {to.Name} have no version of IP in common here";
        PolicyClass from = _program.ClassOf(source.Subject), receiver = _program.ClassOf(to.Subject);
        var naming = _program.Rules.Where(rule => families.Any(isIPv6 => (rule.Source.Of(from) & FlagOf(isIPv6)) != 0)).ToList();
        if (naming.Count == 0)
            return _program.Rules.IsEmpty ? "the policy has no rule that allows anything" : $"no rule names {source.Name} ({WhatIs(source.Subject)}) as a source";
        bool sameOwner = source.Subject.EffectiveOwnerId != 0 && source.Subject.EffectiveOwnerId == to.Subject.EffectiveOwnerId;
        var leading = fleet.IngressOf(receiver).Where(rule => rule.Classes.Contains(from.Id) && (!rule.SameOwner || sameOwner)).ToList();
        var open = source.Addresses.SelectMany(address => to.Addresses.SelectMany(destination => fleet.RulesBetween(source.Subject, address, to.Subject, destination))).ToList();
        if (open.Count > 0)
        {
            var services = ServiceSet.Union(open.Select(rule => ServiceSet.Of(rule.Protocols, rule.Ports)));
            return $"{source.Name} reaches {to.Name} by {services} only: {List(open.Select(rule => rule.Origin))}";
        }
        if (leading.Count > 0) return $"of the two, {List(leading.Select(rule => rule.Origin))} means other addresses";
        var self = naming.Where(rule => rule.Accesses.Any(access => access.Target.Self >= 0)).Select(rule => rule.Origin.ToString()).ToList();
        return self.Count > 0 && !sameOwner
            ? $"autogroup:self in {List(self)} means machines of one user: {source.Name} is {WhatIs(source.Subject)}, {to.Name} is {WhatIs(to.Subject)}"
            : $"{source.Name} ({WhatIs(source.Subject)}) is a source of {List(naming.Select(rule => rule.Origin.ToString()))}, which does not lead to {to.Name} ({WhatIs(to.Subject)})";
    }

    private string Sight(PolicyExplainer.Place source, PolicyExplainer.Place to)
    {
        PolicyClass one = _program.ClassOf(source.Subject), other = _program.ClassOf(to.Subject);
        bool sameOwner = source.Subject.EffectiveOwnerId != 0 && source.Subject.EffectiveOwnerId == to.Subject.EffectiveOwnerId;
        bool sees = _program.RelationOf(one, other) switch { ClassRelation.All => true, ClassRelation.SameOwner => sameOwner, _ => false };
        if (!sees) return "neither stands in the other's map: they do not know of each other";
        var back = fleet.IngressOf(one).Where(rule => rule.Classes.Contains(other.Id) && (!rule.SameOwner || sameOwner)).ToList();
        return back.Count == 0 ? "they stand in each other's maps"
            : $"they stand in each other's maps, and {to.Name} may begin with {source.Name} ({List(back.Select(rule => rule.Origin))}): answers to what it begins pass";
    }

    private static FactFlags FlagOf(bool isIPv6) => isIPv6 ? FactFlags.OwnIPv6 : FactFlags.OwnIPv4;

    private static string WhatIs(PolicySubject subject) =>
        subject.IsTagged ? string.Join(", ", subject.Tags) : subject.UserName.Length > 0 ? $"{subject.UserName}'s" : "nobody's";

    private static string List(IEnumerable<string> rules)
    {
        ImmutableArray<string> all = [.. rules.Distinct()];
        return all.Length <= MaxRules ? string.Join(", ", all)
            : string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", all.Take(MaxRules))} and {all.Length - MaxRules} more");
    }
}
