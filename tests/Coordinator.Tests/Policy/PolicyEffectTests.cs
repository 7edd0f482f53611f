using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Effect;
using Mesh.Coordinator.Policy.Language;
using Mesh.Tests;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>What a change of the policy does, in words, and beside the naive evaluator.</summary>
public sealed class PolicyEffectTests
{
    private const string DenyAll = """{"acls": []}""";
    private const string AllowAll = """{"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]}""";

    private static readonly (byte Protocol, ushort Port)[] Services = [(6, 22), (6, 80), (6, 443), (6, 444), (17, 53), (17, 1000), (17, 2001), (1, 0), (58, 0), (132, 22)];

    private static readonly ImmutableArray<NamedSubject> Office =
    [
        Machine(1, "web-1", tags: "tag:web"), Machine(2, "web-2", tags: "tag:web"), Machine(3, "db-1", tags: "tag:db"), Machine(4, "db-2", tags: "tag:db"),
        Machine(5, "alice-laptop", "alice"), Machine(6, "alice-phone", "alice"), Machine(7, "bob-laptop", "bob"), Machine(8, "carol-laptop", "carol"),
    ];

    [Fact]
    public void A_rule_between_tags_is_a_line() => Assert.Equal(
        ["tag:web (2 machines) gains tcp:5432 on tag:db (2 machines)"],
        Lines(DenyAll, """{"tagOwners": {"tag:web": [], "tag:db": []}, "acls": [{"action": "accept", "proto": "tcp", "src": ["tag:web"], "dst": ["tag:db:5432"]}]}"""));

    [Fact]
    public void A_right_that_ends_is_named_by_its_user_and_by_the_machine_where_there_is_one() => Assert.Equal(
        ["alice's machines (2) lose everything on bob-laptop"],
        Lines("""{"acls": [{"action": "accept", "src": ["alice@"], "dst": ["bob@:*"]}]}""", DenyAll));

    [Fact]
    public void A_policy_that_means_the_same_changes_nothing_for_anybody() => Assert.Equal(
        ["nobody gains or loses anything"],
        Lines(AllowAll, """{"grants": [{"src": ["autogroup:member", "autogroup:tagged"], "dst": ["*"], "ip": ["*"]}]}"""));

    [Fact]
    public void What_stays_allowed_is_taken_out_of_what_is_lost() => Assert.Equal(
        ["every machine loses everything but tcp/udp:443, icmp on every other"],
        Lines(AllowAll, """{"acls": [{"action": "accept", "src": ["*"], "dst": ["*:443"]}]}"""));

    [Fact]
    public void Ones_own_machines_and_others_are_told_apart() => Assert.Equal(
        ["users' machines (4) gain everything on users' machines (4) of other users"],
        Lines(
            """{"acls": [{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*"]}]}""",
            """{"acls": [{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:member:*"]}]}"""));

    [Fact]
    public void An_address_in_a_rule_is_for_its_version_of_IP() => Assert.Equal(
        ["every machine gains tcp:22 by IPv4 on web-1"],
        Lines(DenyAll, """{"hosts": {"first": "100.64.0.1"}, "acls": [{"action": "accept", "proto": "tcp", "src": ["*"], "dst": ["first:22"]}]}"""));

    [Fact]
    public void Machines_that_no_name_holds_together_are_named_one_by_one() => Assert.Equal(
        ["alice's machines and bob-laptop (3 machines) gain icmp for IPv4 on tag:db (2 machines)"],
        Lines(DenyAll, """{"tagOwners": {"tag:db": []}, "acls": [{"action": "accept", "proto": "icmp", "src": ["alice@", "bob@"], "dst": ["tag:db:*"]}]}"""));

    [Fact]
    public void Beyond_a_screenful_the_rest_is_counted()
    {
        string rules = string.Join(',', Enumerable.Range(1, 30).Select(i => $$"""{"action": "accept", "proto": "tcp", "src": ["m{{i}}"], "dst": ["m31:{{i}}"]}"""));
        string hosts = string.Join(',', Enumerable.Range(1, 31).Select(i => $"\"m{i}\": \"100.64.0.{i}\""));
        ImmutableArray<NamedSubject> fleet = [.. Enumerable.Range(1, 31).Select(i => Machine(i, $"n{i:00}"))];
        string[] lines = Lines(DenyAll, $$"""{"hosts": { {{hosts}} }, "acls": [{{rules}}]}""", fleet);
        Assert.Equal(PolicyEffect.MaxChanges + 1, lines.Length);
        Assert.Equal("n01 gains tcp:1 by IPv4 on n31", lines[0]);
        Assert.Equal("and 10 more gains", lines[^1]);
    }

    [Fact]
    public void A_fleet_of_ten_thousand_is_told_in_a_handful_of_lines()
    {
        string[] tags = ["tag:web", "tag:db", "tag:ci", "tag:mon"];
        ImmutableArray<NamedSubject> fleet = [.. Enumerable.Range(1, 10_000).Select(i => i % 2 == 0 ? Machine(i, $"m{i}", $"user{i % 999}") : Machine(i, $"m{i}", tags: tags[i / 2 % 4]))];
        const string Before = """
            {"tagOwners": {"tag:web": [], "tag:db": [], "tag:ci": [], "tag:mon": []},
             "acls": [{"action": "accept", "src": ["autogroup:member"], "dst": ["tag:web:443", "autogroup:self:*"]},
                      {"action": "accept", "src": ["tag:web"], "dst": ["tag:db:5432"]}, {"action": "accept", "src": ["tag:mon"], "dst": ["*:9100"]}]}
            """;
        string[] lines = Lines(Before, Before.Replace("tag:db:5432", "tag:db:5433", StringComparison.Ordinal), fleet);
        Assert.Equal(["tag:web (1250 machines) gains tcp/udp:5433 on tag:db (1250 machines)", "tag:web (1250 machines) loses tcp/udp:5432 on tag:db (1250 machines)"], lines);
    }

    [Theory]
    [InlineData(DenyAll)]
    [InlineData(AllowAll)]
    public void A_policy_with_a_class_for_every_machine_is_compared_in_bounded_time(string before)
    {
        const int Users = 5_000;
        ImmutableArray<NamedSubject> fleet = [.. Enumerable.Range(1, Users).Select(i => Machine(i, $"m{i}", $"u{i:x}"))];
        string everybody = string.Join(',', Enumerable.Range(1, Users).Select(i => $"\"u{i:x}@\""));
        string rules = string.Join(',', Enumerable.Range(1, Users / 2).Select(i => $$"""{"action": "accept", "src": ["u{{i:x}}@"], "dst": ["u{{2 * i:x}}@:{{i}}"]}"""));
        string policy = $$"""{"groups": {"group:all": [{{everybody}}]}, "acls": [{"action": "accept", "src": ["group:all"], "dst": ["autogroup:self:*", "group:all:1-1024"]}, {{rules}}]}""";
        long start = Stopwatch.GetTimestamp();
        string[] lines = Lines(before, policy, fleet);
        Assert.InRange(lines.Length, 1, 2 * PolicyEffect.MaxChanges + 3);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(60), $"{Stopwatch.GetElapsedTime(start)}");
    }

    [Theory]
    [InlineData("every machine", 1, 2, 3, 4, 5, 6, 7, 8)]
    [InlineData("every machine but db-1", 1, 2, 4, 5, 6, 7, 8)]
    [InlineData("every machine but db-1 and web-1", 2, 4, 5, 6, 7, 8)]
    [InlineData("bob-laptop", 7)]
    [InlineData("tag:db (2 machines)", 3, 4)]
    [InlineData("tag:web and alice's machines (4)", 1, 2, 5, 6)]
    [InlineData("alice-phone and bob-laptop", 6, 7)]
    [InlineData("tagged machines and carol-laptop (5 machines)", 1, 2, 3, 4, 8)]
    [InlineData("tag:web, alice-phone and db-2 (4 machines)", 1, 2, 4, 6)]
    [InlineData("alice-phone, bob-laptop and 2 more (4 machines)", 2, 4, 6, 7)]
    public void Sets_of_machines_are_named_in_few_words(string name, params int[] machines) =>
        Assert.Equal(name, new MachineNames(Office).Of(machines.Select(id => id - 1).ToHashSet()).Text);

    [Fact]
    public void Many_machines_among_more_are_counted_by_the_name_of_all_of_these()
    {
        MachineNames names = new([.. Enumerable.Range(1, 40).Select(i => Machine(i, $"m{i}", tags: i <= 20 ? "tag:web" : "tag:db"))]);
        Assert.Equal("12 of tag:web", names.Of(Enumerable.Range(0, 12).ToHashSet()).Text);
        Assert.Equal("tag:web and 7 of tag:db (27 machines)", names.Of(Enumerable.Range(0, 27).ToHashSet()).Text);
        Assert.Equal("tag:web (19 machines)", names.Of(Enumerable.Range(1, 19).ToHashSet(), either: 0).Text);
    }

    [Fact]
    public void What_a_machine_may_do_to_itself_is_not_told()
    {
        const string Before = """{"acls": [{"action": "accept", "src": ["bob@"], "dst": ["bob@:22"]}]}""";
        Assert.Equal(["every machine gains everything on every other"], Lines(Before, AllowAll));
        Assert.Equal(["nobody gains or loses anything"], Lines(Before, DenyAll));
    }

    [Fact]
    public void A_network_of_nobody_loses_nothing() => Assert.Equal(["nobody gains or loses anything"], Lines(AllowAll, DenyAll, []));

    [Fact]
    public void Every_gain_and_loss_of_every_pair_is_in_a_change_and_no_other_is() => SeededProperty.Holds(RandomPolicies.Cases, random =>
    {
        int half = random.Rules.Length / 2;
        PolicyDocument before = Document(random with { Rules = random.Rules[..(half + 1)] }), after = Document(random with { Rules = random.Rules[half..] });
        var fleet = random.Fleet;
        NaiveNetwork was = new(before, fleet), becomes = new(after, fleet);
        ImmutableArray<NamedSubject> named = [.. fleet.Select(node => new NamedSubject(node.Id.ToString(CultureInfo.InvariantCulture), node))];
        FleetPolicy one = FleetPolicy.Of(new PolicyProgram(before), fleet), other = FleetPolicy.Of(new PolicyProgram(after), fleet);
        var changes = new EffectSearch(one, other, named).Run().ToList();
        bool anyGain = false, anyLoss = false;
        for (int from = 0; from < fleet.Length; from++)
        {
            for (int to = 0; to < fleet.Length; to++)
            {
                if (from == to) continue;
                foreach (var source in fleet[from].Addresses)
                {
                    foreach (var destination in fleet[to].Addresses.Where(address => address.IsIPv6 == source.IsIPv6))
                    {
                        foreach (var (protocol, port) in Services)
                        {
                            bool had = was.Allows(fleet[from], source, fleet[to], destination, protocol, port), has = becomes.Allows(fleet[from], source, fleet[to], destination, protocol, port);
                            if (Tells(true) != (has && !had) || Tells(false) != (had && !has)) return false;
                            anyGain |= has && !had;
                            anyLoss |= had && !has;

                            bool Tells(bool gain) => changes.Any(change => change.Difference.IsGain == gain
                                && change.Senders.Contains(from) && change.Receivers.Contains(to) && change.Difference.Services.Contains(protocol, port)
                                && (change.Difference.Family == IpFamily.Both || (change.Difference.Family == IpFamily.IPv6) == source.IsIPv6)
                                && (change.Difference.Pairs == PairKind.All || (change.Difference.Pairs == PairKind.SameOwner) == SameOwner(fleet[from], fleet[to])));
                        }
                    }
                }
            }
        }
        // Of ports that are not probed there may be more, but nothing that was found may go untold.
        var effect = PolicyEffect.Of(one, other, named);
        return (!anyGain || !effect.Gains.IsEmpty) && (!anyLoss || !effect.Losses.IsEmpty) && effect.IsComplete
            && effect.Gains.Concat(effect.Losses).All(change => change.Machines > 0 && change.From.Length > 0 && change.To.Length > 0 && change.What.Length > 0);
    });

    private static bool SameOwner(PolicySubject one, PolicySubject other) => one.EffectiveOwnerId != 0 && one.EffectiveOwnerId == other.EffectiveOwnerId;

    private static PolicyDocument Document(PolicyCase random) => PolicyDocument.Parse(random.Text);

    private static string[] Lines(string before, string after) => Lines(before, after, Office);

    private static string[] Lines(string before, string after, ImmutableArray<NamedSubject> fleet)
    {
        var subjects = fleet.Select(machine => machine.Subject).ToList();
        return [.. PolicyEffect.Of(
            FleetPolicy.Of(new PolicyProgram(PolicyDocument.Parse(before)), subjects), FleetPolicy.Of(new PolicyProgram(PolicyDocument.Parse(after)), subjects), fleet).Lines()];
    }

    internal static NamedSubject Machine(int id, string name, string user = "", params string[] tags) => new(name, new PolicySubject
    {
        Id = (ulong)id, UserName = user, OwnerId = user.Length == 0 ? 0 : 1000 + (ulong)user.Sum(c => (long)c) * 1000 + (ulong)user.Length, Tags = [.. tags],
        IPv4 = IpPrefix.Create(false, (UInt128)0x64400000 + (UInt128)id, 32),
        IPv6 = IpPrefix.Create(true, IpPrefix.Parse("fd00::").First + (UInt128)id, 128),
    });
}
