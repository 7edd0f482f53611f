using System.Collections.Immutable;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Evaluation;

/// <summary>Runs "sshTests" on a fleet: as whom a source may log in where. Nodes do not enforce ssh rules; the tests still keep an edit honest.</summary>
public sealed class SshAssertions(PolicyDocument document, IReadOnlyList<PolicySubject> subjects)
{
    private const string LocalPart = "localpart:*@";

    /// <summary>What does not hold, in the order of the text; empty when all does.</summary>
    public ImmutableArray<PolicyProblem> Run() => [.. document.SshTests.SelectMany(Run)];

    private IEnumerable<PolicyProblem> Run(SshTest test)
    {
        var sources = subjects.Where(subject => SubjectMatch.Means(document, test.Source, subject)).ToList();
        var pairs = sources.SelectMany(source => subjects.Where(target => test.Destinations.Any(selector => Means(selector, source, target)))
            .Select(target => (Source: source, Target: target))).ToList();
        foreach (string user in test.Accept)
            if (pairs.Count == 0 || !pairs.All(pair => Allows(pair.Source, pair.Target, user, SshAction.Accept))) yield return Failed(test, $"{test.Source} may not log in as {user}");
        foreach (string user in test.Check)
            if (pairs.Count == 0 || !pairs.All(pair => Allows(pair.Source, pair.Target, user, SshAction.Check))) yield return Failed(test, $"{test.Source} is not checked when logging in as {user}");
        foreach (string user in test.Deny)
            if (pairs.Any(pair => Allows(pair.Source, pair.Target, user, SshAction.Accept) || Allows(pair.Source, pair.Target, user, SshAction.Check)))
                yield return Failed(test, $"{test.Source} may log in as {user}");
    }

    private static PolicyProblem Failed(SshTest test, string what) => new(test.Position, "test(s) failed", $"sshTests[{test.Index}]: {what}");

    private bool Allows(PolicySubject source, PolicySubject target, string user, SshAction action) => document.SshRules.Any(rule =>
        rule.Action == action && rule.Sources.Any(selector => SubjectMatch.Means(document, selector, source))
        && rule.Destinations.Any(selector => Means(selector, source, target)) && rule.Users.Any(allowed => IsUser(allowed, user, source)));

    private bool Means(Selector selector, PolicySubject source, PolicySubject target) => selector.Kind == SelectorKind.Self
        ? !source.IsTagged && source.EffectiveOwnerId != 0 && source.EffectiveOwnerId == target.EffectiveOwnerId
        : SubjectMatch.Means(document, selector, target);

    private static bool IsUser(string allowed, string user, PolicySubject source)
    {
        if (allowed == "autogroup:nonroot") return user != "root";
        if (!allowed.StartsWith(LocalPart, StringComparison.Ordinal)) return allowed == user;
        return source.UserEmail.Equals($"{user}@{allowed[LocalPart.Length..]}", StringComparison.OrdinalIgnoreCase);
    }
}
