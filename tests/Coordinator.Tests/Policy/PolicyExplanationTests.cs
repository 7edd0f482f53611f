using System.Collections.Immutable;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Effect;
using Mesh.Coordinator.Policy.Explanation;
using Mesh.Coordinator.Policy.Language;
using Mesh.Tests;

namespace Mesh.Coordinator.Tests.Policy;

public sealed class PolicyExplanationTests
{
    private const string Policy = """
        {
          "groups": {"group:dev": ["alice@", "bob@"]},
          "hosts": {"database": "100.64.0.3"},
          "tagOwners": {"tag:web": [], "tag:db": [], "tag:ci": []},
          "acls": [
            {"action": "accept", "src": ["tag:web"], "dst": ["tag:db:5432"]},
            {"action": "accept", "src": ["group:dev"], "dst": ["tag:web:80,443", "autogroup:self:*"]},
            {"action": "accept", "src": ["100.64.0.7"], "dst": ["tag:db:22"]},
          ],
        }
        """;

    private static readonly ImmutableArray<NamedSubject> Machines =
    [
        PolicyEffectTests.Machine(1, "web-1", tags: "tag:web"), PolicyEffectTests.Machine(2, "web-2", tags: "tag:web"), PolicyEffectTests.Machine(3, "db-1", tags: "tag:db"),
        PolicyEffectTests.Machine(4, "ci-1", tags: "tag:ci"), PolicyEffectTests.Machine(5, "alice-laptop", "alice"), PolicyEffectTests.Machine(6, "alice-phone", "alice"),
        PolicyEffectTests.Machine(7, "bob-laptop", "bob"),
    ];

    [Theory]
    [InlineData("web-1", "db-1:5432", "tcp", "acls[0] (line 6)")]
    [InlineData("WEB-1", "database:5432", "tcp", "acls[0] (line 6)")]
    [InlineData("tag:web", "tag:db:5432", "udp", "acls[0] (line 6)")]
    [InlineData("100.64.0.1", "100.64.0.3:5432", "tcp", "acls[0] (line 6)")]
    [InlineData("fd00::1", "[fd00::3]:5432", "tcp", "acls[0] (line 6)")]
    [InlineData("web-1", "db-1", "icmp", "acls[0] (line 6)")]
    [InlineData("alice-laptop", "alice-phone:22", "tcp", "acls[1] (line 7)")]
    [InlineData("alice@", "web-1:443", "tcp", "acls[1] (line 7)")]
    [InlineData("group:dev", "web-2:443", "tcp", "acls[1] (line 7)")]
    [InlineData("bob-laptop", "db-1:22", "tcp", "acls[2] (line 8)")]
    public void What_is_allowed_is_so_by_a_rule_with_its_line(string source, string destination, string protocol, string rule)
    {
        var explanation = Explain(source, destination, protocol);
        Assert.True(explanation.Allowed, explanation.ToString());
        Assert.StartsWith("allowed: ", explanation.Answer, StringComparison.Ordinal);
        Assert.Equal([rule], explanation.Rules);
    }

    [Theory]
    [InlineData("web-1", "db-1:22", "web-1 reaches db-1 by tcp/udp:5432, icmp only: acls[0] (line 6)", "they stand in each other's maps")]
    [InlineData("ci-1", "db-1:5432", "no rule names ci-1 (tag:ci) as a source", "neither stands in the other's map: they do not know of each other")]
    [InlineData("web-1", "ci-1:22", "web-1 (tag:web) is a source of acls[0] (line 6), which does not lead to ci-1 (tag:ci)", "neither stands in the other's map: they do not know of each other")]
    [InlineData("alice-laptop", "bob-laptop:22", "autogroup:self in acls[1] (line 7) means machines of one user: alice-laptop is alice's, bob-laptop is bob's", "neither stands in the other's map: they do not know of each other")]
    [InlineData("db-1", "web-1:5432", "no rule names db-1 (tag:db) as a source", "they stand in each other's maps, and web-1 may begin with db-1 (acls[0] (line 6)): answers to what it begins pass")]
    public void What_is_denied_is_so_for_a_reason(string source, string destination, params string[] reasons)
    {
        var explanation = Explain(source, destination, "tcp");
        Assert.False(explanation.Allowed);
        Assert.StartsWith("denied: ", explanation.Answer, StringComparison.Ordinal);
        Assert.Empty(explanation.Rules);
        Assert.Equal(reasons, explanation.Reasons);
    }

    [Fact]
    public void Several_machines_are_counted_and_one_of_them_is_explained()
    {
        var explanation = Explain("group:dev", "tag:db:22", "tcp");
        Assert.False(explanation.Allowed);
        Assert.Equal("allowed for 1 of 3 pairs of machines: group:dev to tag:db, tcp:22", explanation.Answer);
        Assert.Equal(["acls[2] (line 8)"], explanation.Rules);
        Assert.StartsWith("autogroup:self in acls[1] (line 7) means machines of one user", explanation.Reasons[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_rule_that_names_addresses_is_said_to_hold_for_their_version_of_IP() =>
        Assert.Equal(["by IPv4 only: the rule names addresses"], Explain("bob-laptop", "db-1:22", "tcp").Reasons);

    [Fact]
    public void A_machine_reaches_itself_and_a_policy_without_rules_lets_everybody()
    {
        Assert.StartsWith("allowed: web-1 reaches itself", Explain("web-1", "web-1:22", "tcp").Answer, StringComparison.Ordinal);
        Assert.Equal(["the lack of acls and grants, which allows all"], Explain("{}", "ci-1", "db-1:22", "tcp").Rules);
        Assert.Equal("the policy has no rule that allows anything", Explain("""{"acls": []}""", "ci-1", "db-1:22", "tcp").Reasons[0]);
    }

    [Fact]
    public void A_rule_that_asks_for_a_posture_is_said_to_grant_nothing() => Assert.Contains(
        "acls[0] (line 1) names ci-1 but asks for a posture, which nobody checks here: it grants nothing",
        Explain("""{"postures": {"posture:a": ["node:os == 'linux'"]}, "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"], "srcPosture": ["posture:a"]}]}""", "ci-1", "db-1:22", "tcp").Reasons);

    [Theory]
    [InlineData("web-9", "db-1:22", "tcp", "no machine is called web-9; did you mean web-1?")]
    [InlineData("carol@", "db-1:22", "tcp", "no machine is carol@")]
    [InlineData("group:ops", "db-1:22", "tcp", "the policy has no group:ops")]
    [InlineData("100.64.0.99", "db-1:22", "tcp", "no machine of the network has the address 100.64.0.99")]
    [InlineData("web-1", "autogroup:self:22", "tcp", "autogroup:self is not somebody; name a machine, an address, a user, a group or a tag")]
    [InlineData("web-1", "db-1:22-23", "tcp", "\"db-1:22-23\" does not name one port; say HOST:PORT, such as db:5432")]
    [InlineData("web-1", "db-1", "tcp", "dst=\"db-1\": hostport must contain a colon")]
    [InlineData("web-1", "db-1:22", "tpc", "proto name \"tpc\" not known; use protocol number 0-255 or protocol name (icmp, tcp, udp, etc.)")]
    public void A_question_about_nobody_is_not_answered(string source, string destination, string protocol, string message) =>
        Assert.Equal(message, Assert.Throws<FormatException>(() => Explain(source, destination, protocol)).Message);

    [Fact]
    public void What_is_said_to_be_allowed_is_what_the_rules_allow_pair_by_pair() => SeededProperty.Holds(RandomPolicies.Cases, random =>
    {
        var (document, fleet) = (PolicyDocument.Parse(random.Text), random.Fleet);
        var naive = new NaiveNetwork(document, fleet);
        var explainer = new PolicyExplainer(FleetPolicy.Of(new PolicyProgram(document), fleet), [.. fleet.Select(node => new NamedSubject($"node-{node.Id}", node))]);
        foreach (var from in fleet)
        {
            foreach (var to in fleet.Where(to => to.Id != from.Id))
            {
                foreach (var (name, protocol, port) in ((string, byte, ushort)[])[("tcp", 6, 22), ("udp", 17, 53), ("icmp", 1, 0)])
                {
                    var explanation = explainer.Explain(PolicyQuestion.Parse($"node-{from.Id}", protocol == 1 ? $"node-{to.Id}" : $"node-{to.Id}:{port}", name));
                    bool allowed = from.Addresses.Any(source => to.Addresses.Any(destination =>
                        source.IsIPv6 == destination.IsIPv6 && naive.Allows(from, source, to, destination, protocol, port)));
                    if (explanation.Allowed != allowed || explanation.Rules.IsEmpty == allowed) return false;
                    if (!allowed && naive.Sees(from, to) == explanation.Reasons.Any(reason => reason.StartsWith("neither stands", StringComparison.Ordinal))) return false;
                }
            }
        }
        return true;
    });

    private static PolicyExplanation Explain(string source, string destination, string protocol) => Explain(Policy, source, destination, protocol);

    private static PolicyExplanation Explain(string policy, string source, string destination, string protocol) => new PolicyExplainer(
        FleetPolicy.Of(new PolicyProgram(PolicyDocument.Parse(policy)), Machines.Select(machine => machine.Subject)), Machines)
        .Explain(PolicyQuestion.Parse(source, destination, protocol));
}
