using System.Globalization;
using System.Text;
using FsCheck.Fluent;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;
using Mesh.Tests;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>Random policies and fleets, against the naive reading.</summary>
public sealed class PolicyPropertyTests
{
    private static readonly string[] Sources =
    [
        "*", "autogroup:member", "autogroup:tagged", "autogroup:danger-all", "a@x.io", "b@x.io", "group:one", "group:two", "group:none",
        "tag:red", "tag:blue", "tag:green", "host4", "net4", "100.64.0.3", "fd00::4", "100.64.0.0/29", "fd00::/125",
    ];

    private static readonly string[] Targets =
    [
        "*", "autogroup:member", "autogroup:tagged", "autogroup:internet", "a@x.io", "c@x.io", "group:one", "group:two",
        "tag:red", "tag:blue", "tag:green", "host4", "net4", "100.64.0.5", "fd00::6", "100.64.0.0/29",
    ];

    private static readonly string[] SelfSources = ["autogroup:member", "a@x.io", "group:one", "*"];
    private static readonly string[] Ports = ["*", "22", "80-90", "443,8443"];
    private static readonly string[] Protocols = ["", "tcp", "udp", "icmp", "47"];
    private static readonly (byte Protocol, ushort Port)[] Probes = [(6, 22), (6, 85), (17, 443), (1, 0), (47, 0), (132, 22)];

    [Fact]
    public void Classes_and_their_filters_say_what_each_pair_of_nodes_says() => SeededProperty.Holds(Cases(), seed =>
    {
        var (policy, nodes) = Make(seed);
        var program = new PolicyProgram(PolicyDocument.Parse(policy));
        var fleet = FleetPolicy.Of(program, nodes);
        foreach (var sender in nodes)
        {
            foreach (var receiver in nodes)
            {
                if (sender.Id == receiver.Id) continue;
                foreach (var source in sender.Addresses)
                    foreach (var destination in receiver.Addresses)
                        foreach (var (protocol, port) in Probes)
                            if (fleet.Allows(sender, source, receiver, destination, protocol, port)
                                != NaivePolicy.Allows(program.Document, sender, source, receiver, destination, protocol, port))
                                throw new InvalidOperationException($"seed {seed}: {source} to {destination}, protocol {protocol}, port {port}, under\n{policy}");
                if (Sees(program, sender, receiver) != NaivePolicy.Sees(program.Document, sender, receiver))
                    throw new InvalidOperationException($"seed {seed}: nodes {sender.Id} and {receiver.Id} see each other or not, under\n{policy}");
            }
        }
        return true;
    });

    [Fact]
    public void A_fleet_that_came_and_went_node_by_node_is_the_fleet_that_is_left() => SeededProperty.Holds(Cases(), seed =>
    {
        var (policy, nodes) = Make(seed);
        var program = new PolicyProgram(PolicyDocument.Parse(policy));
        var random = new Random(seed);
        var fleet = new FleetPolicy(program);
        foreach (var node in nodes) fleet = fleet.With(node);
        var left = nodes.Where(_ => random.Next(2) == 0).ToList();
        foreach (var node in nodes.Except(left)) fleet = fleet.Without(node);
        var fresh = FleetPolicy.Of(program, left);
        Assert.Equal(fresh.Classes.Select(c => c.Id), fleet.Classes.Select(c => c.Id));
        foreach (var found in fresh.Classes) Assert.Equal(fresh.IngressOf(found), fleet.IngressOf(fleet.Find(found.Id)!));
        return true;
    });

    [Fact]
    public void A_class_id_is_the_same_in_every_program_of_a_policy()
    {
        var (policy, nodes) = Make(7);
        PolicyProgram one = new(PolicyDocument.Parse(policy)), other = new(PolicyDocument.Parse(policy));
        Assert.All(nodes, node => Assert.Equal(one.ClassOf(node).Id, other.ClassOf(node).Id));
        Assert.All(nodes, node => Assert.NotEqual(ClassId.None, one.ClassOf(node).Id));
    }

    private static bool Sees(PolicyProgram program, PolicySubject one, PolicySubject other) => program.RelationOf(program.ClassOf(one), program.ClassOf(other)) switch
    {
        ClassRelation.All => true,
        ClassRelation.SameOwner => one.EffectiveOwnerId != 0 && one.EffectiveOwnerId == other.EffectiveOwnerId,
        _ => false,
    };

    private static FsCheck.Gen<int> Cases() => Gen.Choose(0, 1_000_000);

    private static (string Policy, List<PolicySubject> Nodes) Make(int seed)
    {
        var random = new Random(seed);
        var text = new StringBuilder("""
            {"groups": {"group:one": ["a@x.io", "b@x.io"], "group:two": ["b@x.io", "c@x.io"], "group:none": []},
             "tagOwners": {"tag:red": [], "tag:blue": [], "tag:green": []},
             "hosts": {"host4": "100.64.0.2", "net4": "100.64.0.0/30"},
             "acls": [
            """);
        for (int rule = random.Next(0, 6); rule > 0; rule--) text.Append(Rule(random));
        text.Append("]}");
        string[] users = ["a@x.io", "b@x.io", "c@x.io"];
        string[] tags = ["tag:red", "tag:blue", "tag:green"];
        var nodes = Enumerable.Range(1, random.Next(2, 9)).Select(i =>
        {
            int user = random.Next(users.Length);
            return new PolicySubject
            {
                Id = (ulong)i,
                OwnerId = (ulong)user + 1,
                UserEmail = users[user],
                Tags = [.. random.Next(2) == 0 ? [] : tags.Where(_ => random.Next(2) == 0)],
                IPv4 = IpPrefix.Parse(string.Create(CultureInfo.InvariantCulture, $"100.64.0.{i}")),
                IPv6 = random.Next(4) == 0 ? null : IpPrefix.Parse(string.Create(CultureInfo.InvariantCulture, $"fd00::{i:x}")),
            };
        }).ToList();
        return (text.ToString(), nodes);
    }

    private static string Rule(Random random)
    {
        bool self = random.Next(5) == 0;
        string protocol = Protocols[random.Next(Protocols.Length)];
        string ports = protocol is "icmp" or "47" ? "*" : Ports[random.Next(Ports.Length)];
        string sources = Some(random, self ? SelfSources : Sources, source => $"\"{source}\"");
        string targets = self ? $"\"autogroup:self:{ports}\"" : Some(random, Targets, target => target.Contains("::", StringComparison.Ordinal) ? $"\"[{target}]:{ports}\"" : $"\"{target}:{ports}\"");
        return $$"""{"action": "accept", "proto": "{{protocol}}", "src": [{{sources}}], "dst": [{{targets}}]},""";
    }

    private static string Some(Random random, string[] from, Func<string, string> write) =>
        string.Join(", ", Enumerable.Range(0, random.Next(1, 4)).Select(_ => write(from[random.Next(from.Length)])));
}
