using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Mesh.Coordinator.Policy;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>A policy's rules and a fleet, small enough to shrink to what matters: rules and nodes fall away one by one.</summary>
internal sealed record PolicyCase(ImmutableArray<RandomRule> Rules, ImmutableArray<RandomNode> Nodes)
{
    /// <summary>The policy as people would write it.</summary>
    public string Text => JsonSerializer.Serialize(new Dictionary<string, object>
    {
        ["groups"] = new Dictionary<string, string[]> { ["group:dev"] = ["alice@example.com", "bob@"], ["group:ops"] = ["carol@example.com"], ["group:none"] = [] },
        ["hosts"] = new Dictionary<string, string> { ["first"] = "100.64.0.1", ["office"] = "10.1.0.0/16", ["six"] = "fd00::2" },
        ["tagOwners"] = RandomPolicies.Tags.ToDictionary(tag => tag, _ => Array.Empty<string>()),
        ["acls"] = Rules.Where(rule => rule.Via is null).Select(rule => rule.ToAcl()).ToArray(),
        ["grants"] = Rules.Where(rule => rule.Via is not null).Select(rule => rule.ToGrant()).ToArray(),
    });

    public ImmutableArray<PolicySubject> Fleet => [.. Nodes.Select((node, index) => node.ToSubject(index + 1))];

    public override string ToString() =>
        $"{Text}\n{string.Join('\n', Fleet.Select(node => $"{node.Id}: {node.UserName} {string.Join(',', node.Tags)} {node.IPv4} {node.IPv6} {string.Join(',', node.Routes)}"))}";
}

internal sealed record RandomRule(ImmutableArray<string> Sources, ImmutableArray<string> Destinations, string Ports, string? Protocol, string? Via)
{
    public Dictionary<string, object> ToAcl()
    {
        var acl = new Dictionary<string, object>
        {
            ["action"] = "accept", ["src"] = UsableSources, ["dst"] = Destinations.Select(target => $"{target}:{(Protocol == "icmp" ? "*" : Ports)}").ToArray(),
        };
        if (Protocol is not null) acl["proto"] = Protocol;
        return acl;
    }

    public Dictionary<string, object> ToGrant() => new()
    {
        ["src"] = Sources, ["dst"] = Destinations.Where(target => target != "autogroup:self").ToArray(),
        ["ip"] = new[] { Protocol switch { null => Ports, "icmp" => "icmp:*", _ => $"{Protocol}:{Ports}" } }, ["via"] = new[] { Via! },
    };

    /// <summary>autogroup:self is for users: the language refuses other sources beside it.</summary>
    private string[] UsableSources => !Destinations.Contains("autogroup:self") ? [.. Sources]
        : [.. Sources.Where(source => source is "*" or "autogroup:member" || source.Contains('@', StringComparison.Ordinal) || source.StartsWith("group:", StringComparison.Ordinal))];
}

internal sealed record RandomNode(int User, ImmutableArray<string> Tags, ImmutableArray<string> Routes)
{
    private static readonly (string Name, string Email)[] Users = [("", ""), ("alice", "alice@example.com"), ("bob", ""), ("carol", "carol@example.com")];

    public PolicySubject ToSubject(int number) => new()
    {
        Id = (ulong)number,
        OwnerId = Tags.IsEmpty ? (ulong)User : 0,
        UserName = Tags.IsEmpty ? Users[User].Name : "",
        UserEmail = Tags.IsEmpty ? Users[User].Email : "",
        Tags = [.. Tags.Distinct().Order(StringComparer.Ordinal)],
        IPv4 = IpPrefix.Parse(string.Create(CultureInfo.InvariantCulture, $"100.64.0.{number}")),
        IPv6 = IpPrefix.Parse(string.Create(CultureInfo.InvariantCulture, $"fd00::{number:x}")),
        Routes = [.. Routes.Distinct().Select(IpPrefix.Parse).Order()],
    };
}

internal static class RandomPolicies
{
    public static string[] Tags { get; } = ["tag:web", "tag:db", "tag:router"];

    private static readonly string[] Sources =
    [
        // What meets autogroup:self stands here more than once, so that it often does.
        "*", "*", "autogroup:member", "autogroup:member", "autogroup:tagged", "autogroup:danger-all", "alice@example.com", "bob@", "group:dev", "group:dev", "group:ops", "group:none",
        .. Tags, "first", "office", "six", "100.64.0.2", "100.64.0.0/30", "fd00::/126", "10.0.0.0/8",
    ];

    private static readonly string[] Destinations =
    [
        "*", "autogroup:member", "autogroup:tagged", "autogroup:self", "autogroup:self", "autogroup:self", "autogroup:internet", "autogroup:internet", "alice@example.com", "group:dev", "group:none",
        .. Tags, "first", "office", "six", "100.64.0.2", "100.64.0.0/30", "10.1.2.0/24", "192.168.0.0/16",
    ];

    private static readonly string[] Routes = ["10.1.0.0/16", "10.2.0.0/16", "192.168.7.0/24", "fd12::/64", "0.0.0.0/0", "::/0"];

    private static Gen<RandomRule> Rule =>
        from sources in Gen.Elements(Sources).NonEmptyListOf().Resize(3)
        from destinations in Gen.Elements(Destinations).NonEmptyListOf().Resize(2)
        from ports in Gen.Elements("*", "22", "80-443", "22,53,1000-2000")
        from protocol in Gen.Elements<string?>(null, null, "tcp", "udp", "icmp", "sctp")
        from via in Gen.Elements<string?>(null, null, null, null, "tag:router", "tag:web")
        select new RandomRule([.. sources], [.. destinations], ports, protocol, via);

    private static Gen<RandomNode> Node =>
        from user in Gen.Choose(0, 3)
        from tags in Gen.OneOf(Gen.Constant(Array.Empty<string>()), Gen.Elements(Tags).ListOf().Resize(2).Select(list => list.ToArray()))
        from routes in Gen.OneOf(Gen.Constant(Array.Empty<string>()), Gen.Constant(Array.Empty<string>()), Gen.Elements(Routes).ListOf().Resize(3).Select(list => list.ToArray()))
        select new RandomNode(user, [.. tags], [.. routes]);

    public static Arbitrary<PolicyCase> Cases { get; } = Arb.From(
        from rules in Rule.NonEmptyListOf().Resize(4)
        from first in Node
        from nodes in Node.NonEmptyListOf().Resize(6)
        select new PolicyCase([.. rules], [first, .. nodes]),
        Shrink);

    private static IEnumerable<PolicyCase> Shrink(PolicyCase value)
    {
        for (int i = 0; i < value.Rules.Length; i++) yield return value with { Rules = value.Rules.RemoveAt(i) };
        for (int i = 0; i < value.Nodes.Length; i++) yield return value with { Nodes = value.Nodes.RemoveAt(i) };
        for (int i = 0; i < value.Rules.Length; i++)
        {
            var rule = value.Rules[i];
            for (int j = 0; j < rule.Sources.Length; j++) yield return value with { Rules = value.Rules.SetItem(i, rule with { Sources = rule.Sources.RemoveAt(j) }) };
            for (int j = 0; j < rule.Destinations.Length; j++) yield return value with { Rules = value.Rules.SetItem(i, rule with { Destinations = rule.Destinations.RemoveAt(j) }) };
        }
        for (int i = 0; i < value.Nodes.Length; i++)
        {
            var node = value.Nodes[i];
            for (int j = 0; j < node.Routes.Length; j++) yield return value with { Nodes = value.Nodes.SetItem(i, node with { Routes = node.Routes.RemoveAt(j) }) };
            for (int j = 0; j < node.Tags.Length; j++) yield return value with { Nodes = value.Nodes.SetItem(i, node with { Tags = node.Tags.RemoveAt(j) }) };
        }
    }
}
