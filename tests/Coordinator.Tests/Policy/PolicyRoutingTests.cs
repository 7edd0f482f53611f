using System.Collections.Immutable;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;
using Mesh.Tests;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>The compiler beside a naive evaluator that knows no classes, over random policies and fleets.</summary>
public sealed class PolicyRoutingTests
{
    private static readonly (byte Protocol, ushort Port)[] Services =
        [(6, 22), (6, 80), (6, 443), (6, 444), (17, 53), (17, 1000), (17, 2001), (1, 0), (58, 0), (132, 22), (47, 0)];

    private static readonly IpPrefix[] Elsewhere = [.. ((string[])["8.8.4.4", "192.0.2.77", "2001:4860::1"]).Select(IpPrefix.Parse)];

    [Fact]
    public void Compiled_filters_decide_every_packet_as_the_rules_do_pair_by_pair() => SeededProperty.Holds(RandomPolicies.Cases, random =>
    {
        var (document, fleet) = (PolicyDocument.Parse(random.Text), random.Fleet);
        var (naive, program) = (new NaiveNetwork(document, fleet), new PolicyProgram(document));
        var compiled = FleetPolicy.Of(program, fleet);
        foreach (var to in fleet)
        {
            var filter = compiled.IngressOf(program.ClassOf(to));
            foreach (var from in fleet.Where(from => from.Id != to.Id))
            {
                var sender = program.ClassOf(from).Id;
                foreach (var source in Probes(from))
                {
                    foreach (var destination in Probes(to).Where(destination => destination.IsIPv6 == source.IsIPv6))
                    {
                        foreach (var (protocol, port) in Services)
                        {
                            if (naive.Allows(from, source, to, destination, protocol, port)
                                != FilterReading.Allows(filter, from, sender, source, to, destination, protocol, port))
                                return false;
                        }
                    }
                }
            }
        }
        return true;
    });

    [Fact]
    public void Classes_see_each_other_where_their_nodes_do() => SeededProperty.Holds(RandomPolicies.Cases, random =>
    {
        var (document, fleet) = (PolicyDocument.Parse(random.Text), random.Fleet);
        var (naive, program) = (new NaiveNetwork(document, fleet), new PolicyProgram(document));
        foreach (var one in fleet)
            foreach (var other in fleet.Where(other => other.Id != one.Id))
                if (naive.Sees(one, other) != Sees(program, one, other)) return false;
        return true;
    });

    [Fact]
    public void A_fleet_that_grew_and_shrank_node_by_node_is_as_one_that_was_always_so() => SeededProperty.Holds(RandomPolicies.Cases, random =>
    {
        var program = new PolicyProgram(PolicyDocument.Parse(random.Text));
        var fleet = random.Fleet;
        var grown = fleet.Aggregate(new FleetPolicy(program), (policy, node) =>
        {
            // Asked in between, so that what was remembered of a smaller fleet would show.
            foreach (var known in policy.Classes) _ = policy.IngressOf(known);
            return policy.With(node);
        });
        foreach (var leaver in fleet.Take(fleet.Length / 2)) grown = grown.Without(leaver);
        ImmutableArray<PolicySubject> left = [.. fleet.Skip(fleet.Length / 2)];
        var fresh = FleetPolicy.Of(new PolicyProgram(program.Document), left);
        return left.All(node => Same(grown.IngressOf(program.ClassOf(node)), fresh.IngressOf(program.ClassOf(node))));
    });

    private static bool Same(ImmutableArray<ClassRule> one, ImmutableArray<ClassRule> other) => one.AsSpan().SequenceEqual(other.AsSpan());

    private static bool Sees(PolicyProgram program, PolicySubject one, PolicySubject other) =>
        program.RelationOf(program.ClassOf(one), program.ClassOf(other)) switch
        {
            ClassRelation.All => true,
            ClassRelation.SameOwner => one.EffectiveOwnerId != 0 && one.EffectiveOwnerId == other.EffectiveOwnerId,
            _ => false,
        };

    /// <summary>What a node has, and something of each that it routes; an exit routes the rest of the world.</summary>
    private static IEnumerable<IpPrefix> Probes(PolicySubject node)
    {
        foreach (var address in node.Addresses) yield return address;
        foreach (var route in node.Routes)
        {
            if (route.IsDefaultRoute)
            {
                foreach (var address in Elsewhere.Where(address => address.IsIPv6 == route.IsIPv6)) yield return address;
                continue;
            }
            yield return IpPrefix.Create(route.IsIPv6, route.First + 9, route.Bits);
            yield return IpPrefix.Create(route.IsIPv6, route.First + 521, route.Bits);
        }
    }
}
