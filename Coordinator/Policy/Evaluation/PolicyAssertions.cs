using System.Collections.Immutable;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Evaluation;

/// <summary>
/// Runs the "tests" of a policy on a fleet, over its compiled classes. A source that is nobody, and a destination that is
/// nowhere, fail: an assertion about nothing asserts nothing.
/// </summary>
public sealed class PolicyAssertions(PolicyProgram program, IReadOnlyList<PolicySubject> subjects)
{
    private const byte Tcp = 6;

    private readonly FleetPolicy _fleet = FleetPolicy.Of(program, subjects);

    /// <summary>What does not hold, in the order of the text; empty when all does.</summary>
    public ImmutableArray<PolicyProblem> Run() => [.. program.Document.Tests.SelectMany(Run)];

    private IEnumerable<PolicyProblem> Run(PolicyTest test)
    {
        var sources = AddressesOf(test.Source).ToList();
        foreach (var (destination, wanted) in test.Accept.Select(accept => (accept, true)).Concat(test.Deny.Select(deny => (deny, false))))
        {
            var targets = AddressesOf(destination.Target).ToList();
            // An address that no node has may lie behind routers.
            if (targets.Count == 0 && program.Document.LiteralOf(destination.Target) is { } literal)
                targets = [.. subjects.Where(node => node.Routes.Any(route => route.Contains(literal))).Select(node => new Place(node, literal))];
            string? fault = sources.Count == 0 ? $"no machine is {test.Source}" : targets.Count == 0 ? $"nothing is at {destination.Target}" : null;
            if (fault is null)
            {
                var pairs = sources.SelectMany(source => targets.Where(target => target.Address.IsIPv6 == source.Address.IsIPv6).Select(target => (source, target)));
                bool holds = wanted
                    ? pairs.Any() && pairs.All(pair => Allows(pair.source, pair.target, test.Protocol ?? Tcp, destination.Port))
                    : !pairs.Any(pair => Allows(pair.source, pair.target, test.Protocol ?? Tcp, destination.Port));
                if (holds) continue;
                fault = wanted ? $"{test.Source} does not reach {destination.Text}" : $"{test.Source} reaches {destination.Text}";
            }
            yield return new PolicyProblem(destination.Position, "test(s) failed", $"tests[{test.Index}]: {fault}");
        }
    }

    private bool Allows(Place source, Place target, byte protocol, ushort port) =>
        source.Address == target.Address || _fleet.Allows(source.Subject, source.Address, target.Subject, target.Address, protocol, port);

    private IEnumerable<Place> AddressesOf(Selector selector)
    {
        foreach (var subject in subjects)
            foreach (var address in subject.Addresses)
                if (SubjectMatch.Means(program.Document, selector, subject, address)) yield return new Place(subject, address);
    }

    private sealed record Place(PolicySubject Subject, IpPrefix Address);
}
