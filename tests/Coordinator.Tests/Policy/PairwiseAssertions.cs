using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Evaluation;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>The "tests" and "sshTests" of a policy, asked of every pair of nodes: which of their assertions hold.</summary>
internal sealed class PairwiseAssertions(PolicyProgram program, IReadOnlyList<PolicySubject> fleet)
{
    private readonly FleetPolicy _policy = FleetPolicy.Of(program, fleet);

    /// <summary>"tests[0] tag:db:22" for each that fails, in order.</summary>
    public IEnumerable<string> FailedTests()
    {
        foreach (var test in program.Document.Tests)
        {
            var sources = PlacesOf(test.Source).ToList();
            foreach (var (to, wanted) in test.Accept.Select(to => (to, true)).Concat(test.Deny.Select(to => (to, false))))
            {
                var targets = PlacesOf(to.Target).ToList();
                if (targets.Count == 0 && program.Document.LiteralOf(to.Target) is { } literal)
                    targets = [.. fleet.Where(node => node.Routes.Any(route => route.Contains(literal))).Select(node => (node, literal))];
                var verdicts = sources.SelectMany(from => targets.Where(target => target.Address.IsIPv6 == from.Address.IsIPv6).Select(target => from.Address == target.Address
                    || _policy.Allows(from.Node, from.Address, target.Node, target.Address, test.Protocol ?? 6, to.Port))).ToList();
                bool holds = sources.Count > 0 && targets.Count > 0 && (wanted ? verdicts.Count > 0 && verdicts.TrueForAll(allowed => allowed) : !verdicts.Contains(true));
                if (!holds) yield return $"tests[{test.Index}] {to.Position}";
            }
        }
    }

    /// <summary>"sshTests[0] accept root" for each that fails, in order.</summary>
    public IEnumerable<string> FailedSshTests()
    {
        var document = program.Document;
        foreach (var test in document.SshTests)
        {
            var pairs = fleet.Where(from => SubjectMatch.Means(document, test.Source, from))
                .SelectMany(from => fleet.Where(to => test.Destinations.Any(selector => IsTarget(selector, from, to))).Select(to => (from, to))).ToList();
            foreach (string user in test.Accept)
                if (pairs.Count == 0 || !pairs.TrueForAll(pair => MayLogIn(pair.from, pair.to, user, SshAction.Accept))) yield return $"sshTests[{test.Index}]: {test.Source} may not log in as {user}";
            foreach (string user in test.Check)
                if (pairs.Count == 0 || !pairs.TrueForAll(pair => MayLogIn(pair.from, pair.to, user, SshAction.Check))) yield return $"sshTests[{test.Index}]: {test.Source} is not checked when logging in as {user}";
            foreach (string user in test.Deny)
                if (pairs.Exists(pair => MayLogIn(pair.from, pair.to, user, SshAction.Accept) || MayLogIn(pair.from, pair.to, user, SshAction.Check))) yield return $"sshTests[{test.Index}]: {test.Source} may log in as {user}";
        }
    }

    private IEnumerable<(PolicySubject Node, IpPrefix Address)> PlacesOf(Selector selector) =>
        fleet.SelectMany(node => node.Addresses.Where(address => SubjectMatch.Means(program.Document, selector, node, address)).Select(address => (node, address)));

    private bool MayLogIn(PolicySubject from, PolicySubject to, string user, SshAction action) => program.Document.SshRules.Any(rule =>
        rule.Action == action && rule.Sources.Any(selector => SubjectMatch.Means(program.Document, selector, from))
        && rule.Destinations.Any(selector => IsTarget(selector, from, to))
        && rule.Users.Any(allowed => allowed switch
        {
            "autogroup:nonroot" => user != "root",
            ['l', 'o', 'c', 'a', 'l', 'p', 'a', 'r', 't', ':', '*', .. var domain] => (user + domain).Equals(from.UserEmail, StringComparison.OrdinalIgnoreCase),
            _ => allowed == user,
        }));

    private bool IsTarget(Selector selector, PolicySubject from, PolicySubject to) => selector.Kind == SelectorKind.Self
        ? from.EffectiveOwnerId != 0 && from.EffectiveOwnerId == to.EffectiveOwnerId
        : SubjectMatch.Means(program.Document, selector, to);
}
