using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Evaluation;
using Mesh.Coordinator.Policy.Language;
using Mesh.Tests;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>"tests" and "sshTests", which go over classes, beside the same asked of every pair of nodes.</summary>
public sealed class AssertionTests
{
    private static readonly string[] Sources = ["*", "autogroup:member", "autogroup:tagged", "alice@example.com", "bob@", "group:dev", "group:none", "tag:web", "tag:router", "first"];

    private static readonly string[] Destinations =
        ["*:80", "autogroup:member:22", "autogroup:tagged:444", "alice@example.com:80", "bob@:443", "tag:web:80", "tag:db:22", "first:443", "10.1.0.9:80", "8.8.4.4:443", "[fd00::2]:22"];

    private static readonly string[] SshRules =
    [
        """{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self"], "users": ["root"]}""",
        """{"action": "check", "src": ["autogroup:member"], "dst": ["tag:db", "autogroup:self"], "users": ["localpart:*@example.com"]}""",
        """{"action": "accept", "src": ["group:dev"], "dst": ["tag:web"], "users": ["autogroup:nonroot"]}""",
        """{"action": "accept", "src": ["alice@example.com"], "dst": ["alice@example.com"], "users": ["root", "alice"]}""",
        """{"action": "accept", "src": ["tag:web"], "dst": ["tag:db", "autogroup:tagged"], "users": ["root"]}""",
        """{"action": "check", "src": ["group:ops"], "dst": ["autogroup:tagged"], "users": ["root", "alice"]}""",
    ];

    private static readonly string[] SshDestinations =
        ["\"tag:web\"", "\"tag:db\"", "\"autogroup:self\"", "\"alice@example.com\", \"tag:db\"", "\"autogroup:self\", \"tag:web\"", "\"autogroup:tagged\"", "\"first\""];

    [Fact]
    public void Tests_hold_where_they_hold_for_every_pair_of_nodes() => SeededProperty.Holds(RandomPolicies.Cases, random =>
    {
        var tests = Sources.SelectMany(source => Destinations.Select(to => $$"""{"src": "{{source}}", "accept": ["{{to}}"], "deny": ["{{to}}"]}"""));
        var program = Program(random, $"\"tests\": [{string.Join(',', tests)}]");
        return new PolicyAssertions(program, random.Fleet).Run().Select(problem => $"{problem.Suggestion!.Split(':')[0]} {problem.Position}")
            .SequenceEqual(new PairwiseAssertions(program, random.Fleet).FailedTests());
    });

    [Fact]
    public void Ssh_tests_hold_where_they_hold_for_every_pair_of_nodes() => SeededProperty.Holds(RandomPolicies.Cases, random =>
    {
#pragma warning disable CA5394 // Replayable, not secret.
        var some = new Random(random.Text.Length + random.Nodes.Length);
        var rules = SshRules.Where(_ => some.Next(2) == 0);
#pragma warning restore CA5394
        var tests = Sources.Where(source => source != "first").SelectMany(source => SshDestinations.Select(to =>
            $$"""{"src": "{{source}}", "dst": [{{to}}], "accept": ["root", "alice"], "check": ["alice", "root"], "deny": ["root", "bob"]}"""));
        var program = Program(random, $"\"ssh\": [{string.Join(',', rules)}], \"sshTests\": [{string.Join(',', tests)}]");
        return new SshAssertions(program.Document, random.Fleet).Run().Select(problem => problem.Suggestion)
            .SequenceEqual(new PairwiseAssertions(program, random.Fleet).FailedSshTests());
    });

    /// <summary>A hundred million pairs, were they looked at one by one.</summary>
    [Fact]
    public void Tests_over_everybody_in_a_large_network_take_no_look_at_every_pair()
    {
        var program = new PolicyProgram(PolicyDocument.Parse("""
            {"tagOwners": {"tag:web": []},
             "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}, {"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*"]}],
             "tests": [{"src": "*", "accept": ["*:80"]}, {"src": "autogroup:member", "accept": ["tag:web:443", "autogroup:member:22"]}],
             "ssh": [{"action": "accept", "src": ["autogroup:member"], "dst": ["tag:web", "autogroup:self"], "users": ["root"]}],
             "sshTests": [{"src": "autogroup:member", "dst": ["tag:web", "autogroup:self"], "accept": ["root"], "deny": ["bob"]}]}
            """));
        ImmutableArray<PolicySubject> fleet = [.. Enumerable.Range(1, 10_000).Select(i => new PolicySubject
        {
            Id = (ulong)i,
            OwnerId = i % 3 == 0 ? 0 : (ulong)(i % 2_000) + 1,
            UserName = i % 3 == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"user{i % 2_000}"),
            Tags = i % 3 == 0 ? ["tag:web"] : [],
            IPv4 = IpPrefix.Parse(string.Create(CultureInfo.InvariantCulture, $"100.64.{i >> 8}.{i & 255}")),
        })];
        long start = Stopwatch.GetTimestamp();
        Assert.Empty(new PolicyAssertions(program, fleet).Run());
        Assert.Empty(new SshAssertions(program.Document, fleet).Run());
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20), "far more than classes take on a crowded machine, far less than pairs");
    }

    private static PolicyProgram Program(PolicyCase random, string more) => new(PolicyDocument.Parse(random.Text[..^1] + ", " + more + "}"));
}
