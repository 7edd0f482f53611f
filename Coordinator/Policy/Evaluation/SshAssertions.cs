using System.Collections.Immutable;
using Mesh.Coordinator.Policy.Effect;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Evaluation;

/// <summary>
/// Runs "sshTests" on a fleet: as whom a source may log in where. Nodes do not enforce ssh rules; the tests still keep an edit honest.
/// Nodes that the same rules name are looked at together.
/// </summary>
public sealed class SshAssertions(PolicyDocument document, IReadOnlyList<PolicySubject> subjects)
{
    private const string LocalPart = "localpart:*@";

    private readonly bool _asksForEmail = document.SshRules.Any(rule => rule.Users.Any(user => user.StartsWith(LocalPart, StringComparison.Ordinal)));

    /// <summary>What does not hold, in the order of the text; empty when all does.</summary>
    public ImmutableArray<PolicyProblem> Run()
    {
        if (document.SshTests.IsEmpty) return [];
        List<Sorted> sorted = [.. subjects.Select(subject => new Sorted(
            subject,
            new Source(RulesOf(rule => rule.Sources, subject), _asksForEmail ? subject.UserEmail : ""),
            RulesOf(rule => rule.Destinations, subject)))];
        return [.. document.SshTests.SelectMany(test => Run(test, sorted))];
    }

    private IEnumerable<PolicyProblem> Run(SshTest test, List<Sorted> sorted)
    {
        bool self = test.Destinations.Any(selector => selector.Kind == SelectorKind.Self);
        Dictionary<Source, OwnerGroup> sources = [];
        Dictionary<Target, OwnerGroup> targets = [];
        foreach (var one in sorted)
        {
            if (SubjectMatch.Means(document, test.Source, one.Subject)) Add(sources, one.Source, one.Subject);
            bool named = test.Destinations.Any(selector => SubjectMatch.Means(document, selector, one.Subject));
            if (named || self) Add(targets, new Target(one.Target, named), one.Subject);
        }
        List<Pair> pairs = [.. sources.SelectMany(source => targets.SelectMany(target => Pairs(source, target)))];
        foreach (string user in test.Accept)
            if (pairs.Count == 0 || !pairs.All(pair => Allows(pair, user, SshAction.Accept))) yield return Failed(test, $"{test.Source} may not log in as {user}");
        foreach (string user in test.Check)
            if (pairs.Count == 0 || !pairs.All(pair => Allows(pair, user, SshAction.Check))) yield return Failed(test, $"{test.Source} is not checked when logging in as {user}");
        foreach (string user in test.Deny)
            if (pairs.Any(pair => Allows(pair, user, SshAction.Accept) || Allows(pair, user, SshAction.Check))) yield return Failed(test, $"{test.Source} may log in as {user}");

        IEnumerable<Pair> Pairs(KeyValuePair<Source, OwnerGroup> source, KeyValuePair<Target, OwnerGroup> target)
        {
            if (source.Value.SharesOwnerWith(target.Value)) yield return new Pair(source.Key, target.Key, true);
            if (target.Key.Named && source.Value.DiffersFrom(target.Value)) yield return new Pair(source.Key, target.Key, false);
        }
    }

    private static void Add<T>(Dictionary<T, OwnerGroup> groups, T sort, PolicySubject subject) where T : notnull
    {
        if (!groups.TryGetValue(sort, out var group)) groups[sort] = group = new OwnerGroup();
        group.Add(subject);
    }

    private static PolicyProblem Failed(SshTest test, string what) => new(test.Position, "test(s) failed", $"sshTests[{test.Index}]: {what}");

    private IndexSet RulesOf(Func<SshRule, ImmutableArray<Selector>> side, PolicySubject subject) => new(Enumerable.Range(0, document.SshRules.Length)
        .Where(i => side(document.SshRules[i]).Any(selector => SubjectMatch.Means(document, selector, subject))));

    private bool Allows(Pair pair, string user, SshAction action) => pair.Source.Rules.Items.Any(index =>
        document.SshRules[index] is var rule && rule.Action == action
        && (pair.Target.Rules.Items.BinarySearch(index) >= 0 || (pair.SameOwner && rule.Destinations.Any(selector => selector.Kind == SelectorKind.Self)))
        && rule.Users.Any(allowed => IsUser(allowed, user, pair.Source.Email)));

    private static bool IsUser(string allowed, string user, string email)
    {
        if (allowed == "autogroup:nonroot") return user != "root";
        if (!allowed.StartsWith(LocalPart, StringComparison.Ordinal)) return allowed == user;
        return email.Equals($"{user}@{allowed[LocalPart.Length..]}", StringComparison.OrdinalIgnoreCase);
    }

    /// <param name="Target">The rules that name the node as a destination, autogroup:self apart.</param>
    private sealed record Sorted(PolicySubject Subject, Source Source, IndexSet Target);

    /// <param name="Rules">That name the node as a source.</param>
    /// <param name="Email">"" where no rule asks.</param>
    private sealed record Source(IndexSet Rules, string Email);

    /// <param name="Named">By the test, autogroup:self apart.</param>
    private sealed record Target(IndexSet Rules, bool Named);

    /// <param name="SameOwner">Of nodes of one user.</param>
    private sealed record Pair(Source Source, Target Target, bool SameOwner);
}
