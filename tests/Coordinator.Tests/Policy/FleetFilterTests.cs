using System.Collections.Immutable;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;
using Mesh.Tests;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>Which filters a node that comes or goes changes: all others stay the very same instances, and are sent to nobody.</summary>
public sealed class FleetFilterTests
{
    private static readonly PolicyProgram Program = new(PolicyDocument.Parse("""
        {"groups": {"group:dev": ["ann@x.io"], "group:ops": ["bob@x.io"]},
         "tagOwners": {"tag:web": [], "tag:db": [], "tag:log": []},
         "acls": [{"action": "accept", "src": ["group:dev", "group:ops"], "dst": ["tag:web:443"]},
                  {"action": "accept", "src": ["tag:web"], "dst": ["tag:db:5432"]},
                  {"action": "accept", "src": ["*"], "dst": ["tag:log:514"]},
                  {"action": "accept", "src": ["group:ops"], "dst": ["tag:db:22"]},
                  {"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*"]}]}
        """));

    private static readonly ImmutableArray<PolicySubject> Nodes = [User(1, "ann"), Tagged(2, "tag:web"), Tagged(3, "tag:db"), Tagged(4, "tag:log")];

    [Fact]
    public void A_node_that_joins_a_class_changes_no_filter_and_neither_does_one_that_leaves_it()
    {
        var before = FleetPolicy.Of(Program, Nodes);
        var filters = Filters(before);
        var after = before.With(Tagged(5, "tag:web")).With(User(6, "ann"));
        Assert.Empty(Changed(filters, after));
        Assert.Empty(Changed(filters, after.Without(User(1, "ann")).Without(Tagged(2, "tag:web"))));
    }

    [Fact]
    public void A_node_that_opens_a_class_changes_only_the_filters_whose_rules_have_it_as_a_source()
    {
        var before = FleetPolicy.Of(Program, Nodes);
        var filters = Filters(before);
        var bob = User(5, "bob");
        // Those who take from ops, from everybody, and from their own user.
        Assert.Equal([1, 2, 3, 4], Changed(filters, before.With(bob)));
        Assert.Equal([4], Changed(filters, before.With(Tagged(6, "tag:log", "tag:db"))));
    }

    [Fact]
    public void A_filter_that_comes_out_the_same_is_the_same_though_a_rule_of_its_had_to_be_looked_at()
    {
        var program = new PolicyProgram(PolicyDocument.Parse("""
            {"tagOwners": {"tag:web": []}, "acls": [{"action": "accept", "src": ["*"], "dst": ["autogroup:self:*", "tag:web:80"]}]}
            """));
        var before = FleetPolicy.Of(program, [User(1, "ann")]);
        var filter = before.IngressOf(program.ClassOf(User(1, "ann")));
        Assert.True(filter == before.With(Tagged(2, "tag:web")).IngressOf(program.ClassOf(User(1, "ann"))));
    }

    [Fact]
    public void Of_any_fleet_and_policy_a_filter_of_equal_meaning_is_kept_whoever_comes() => SeededProperty.Holds(RandomPolicies.Cases, random =>
    {
        var program = new PolicyProgram(PolicyDocument.Parse(random.Text));
        var fleet = new FleetPolicy(program);
        foreach (var node in random.Fleet)
        {
            var filters = fleet.Classes.Select(known => (Class: known, Filter: fleet.IngressOf(known))).ToList();
            fleet = fleet.With(node);
            foreach (var (known, filter) in filters)
                if (fleet.IngressOf(known) is var now && now != filter && now.AsSpan().SequenceEqual(filter.AsSpan())) return false;
        }
        return true;
    });

    private static Dictionary<ulong, ImmutableArray<ClassRule>> Filters(FleetPolicy fleet) =>
        Nodes.ToDictionary(node => node.Id, node => fleet.IngressOf(Program.ClassOf(node)));

    /// <summary>Nodes whose filter is another instance than it was.</summary>
    private static IEnumerable<ulong> Changed(Dictionary<ulong, ImmutableArray<ClassRule>> before, FleetPolicy after) =>
        Nodes.Where(node => after.IngressOf(Program.ClassOf(node)) != before[node.Id]).Select(node => node.Id);

    private static PolicySubject User(ulong id, string name) =>
        new() { Id = id, OwnerId = 100 + (ulong)name[0], UserName = name, UserEmail = $"{name}@x.io", IPv4 = IpPrefix.Parse($"100.64.0.{id}") };

    private static PolicySubject Tagged(ulong id, params string[] tags) => new() { Id = id, Tags = [.. tags], IPv4 = IpPrefix.Parse($"100.64.0.{id}") };
}
