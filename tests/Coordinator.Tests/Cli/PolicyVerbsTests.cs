using System.Text.Json;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Tests.Cli;

/// <summary>policy get, set, diff and explain against a coordinator with a few machines.</summary>
public sealed class PolicyVerbsTests : IAsyncLifetime
{
    private const string Text = """
        // Who may reach whom.
        {
          "tagOwners": {"tag:web": [], "tag:db": []},
          "acls": [
            {"action": "accept", "proto": "tcp", "src": ["tag:web"], "dst": ["tag:db:5432"]}, // the shop
          ],
          "tests": [{"src": "tag:web", "accept": ["tag:db:5432"], "deny": ["tag:db:22"]}],
        }

        """;

    private readonly TemporaryDirectory _directory = new();
    private readonly List<TestMachine> _machines = [];
    private ServedCoordinator _coordinator = null!;

    private string File => Path.Combine(_directory, "policy.hujson");

    private string Policy => _coordinator.Network.Runtime.State.Policy.Text;

    public async ValueTask InitializeAsync()
    {
        _coordinator = await ServedCoordinator.StartAsync();
        await _coordinator.Network.Runtime.ExecuteAsync(new CreateUser("ann"), Actor.System, IdempotencyKey.None);
        await JoinAsync("web-1", new CreatePreAuthKey { Tags = ["tag:web"] });
        await JoinAsync("db-1", new CreatePreAuthKey { Tags = ["tag:db"] });
        await JoinAsync("laptop", new CreatePreAuthKey { User = "ann" });
        await System.IO.File.WriteAllTextAsync(File, Text);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var machine in _machines) machine.Dispose();
        await _coordinator.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_policy_comes_back_as_it_was_given()
    {
        Assert.Equal((0, "web-1 gains tcp:5432 on db-1\nthe policy of network default is set (file)\n"), Plain(await RunAsync("policy", "set", File, "--yes")));
        Assert.Equal((0, Text), Plain(await RunAsync("policy", "get")));
        var policy = JsonSerializer.Deserialize((await RunAsync("policy", "get", "--json")).Output, AdminJson.Default.PolicyModel)!;
        Assert.Equal((Text, "file", _coordinator.Network.Runtime.State.PolicyPosition), (policy.Text, policy.Kind, policy.Position));
    }

    [Fact]
    public async Task Diff_says_the_same_as_set_and_changes_nothing()
    {
        long before = _coordinator.Network.Runtime.State.Position;
        Assert.Equal((0, "web-1 gains tcp:5432 on db-1\n"), Plain(await RunAsync("policy", "diff", File)));
        var effect = JsonSerializer.Deserialize((await RunAsync("policy", "diff", File, "--json")).Output, AdminJson.Default.PolicyEffectModel)!;
        Assert.Equal([new PolicyChangeModel("web-1", "db-1", "tcp:5432", 1)], effect.Gains);
        Assert.Empty(effect.Losses);
        Assert.Equal(before, _coordinator.Network.Runtime.State.Position);
    }

    [Theory]
    [InlineData("y", ExitCode.Ok)]
    [InlineData("n", ExitCode.Usage)]
    public async Task On_a_terminal_the_effect_is_shown_before_the_question(string answer, int exitCode)
    {
        var said = await RunAsync(answer + "\n", true, "policy", "set", File);
        Assert.Equal(exitCode, said.ExitCode);
        Assert.StartsWith("web-1 gains tcp:5432 on db-1\n", said.Output, StringComparison.Ordinal);
        Assert.StartsWith("Set this policy in network default? [y/N]", said.Error, StringComparison.Ordinal);
        Assert.Equal(answer == "y" ? Text : NetworkPolicy.DenyAllText, Policy);
    }

    [Theory]
    [InlineData("set")]
    [InlineData("diff")]
    public async Task A_policy_that_is_none_is_refused_here_with_every_line_and_column(string verb)
    {
        await System.IO.File.WriteAllTextAsync(File, Text.Replace("tag:db:5432\"]}, //", "tag:bd:5432\"]}, //", StringComparison.Ordinal).Replace("proto", "prot", StringComparison.Ordinal));
        var said = await RunAsync("policy", verb, File);
        Assert.Equal((ExitCode.Refused, ""), (said.ExitCode, said.Output));
        Assert.Equal(
            ["5:26: unknown field: \"prot\"; did you mean proto?", "5:69: dst=\"tag:bd\": tag not found: \"tag:bd\"; did you mean tag:db?"],
            said.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(NetworkPolicy.DenyAllText, Policy);
    }

    [Fact]
    public async Task Tests_that_fail_on_the_networks_machines_are_told_all_at_once_and_the_old_policy_stands()
    {
        await System.IO.File.WriteAllTextAsync(File, Text.Replace("[\"tag:db:22\"]}]", "[\"tag:db:5432\"]}, {\"src\": \"ann@\", \"accept\": [\"tag:db:22\"]}]", StringComparison.Ordinal));
        var said = await RunAsync("policy", "set", File, "--yes");
        Assert.Equal((ExitCode.Refused, ""), (said.ExitCode, said.Output));
        Assert.Contains("tests[0]: tag:web reaches tag:db:5432", said.Error, StringComparison.Ordinal);
        Assert.Contains("tests[1]: ann@ does not reach tag:db:22", said.Error, StringComparison.Ordinal);
        Assert.Equal(NetworkPolicy.DenyAllText, Policy);
    }

    [Fact]
    public async Task Of_two_administrators_who_edit_at_once_the_later_is_told()
    {
        string etag = JsonSerializer.Deserialize((await RunAsync("policy", "get", "--json")).Output, AdminJson.Default.PolicyModel)!.Etag;
        Assert.Equal(0, (await RunAsync("policy", "set", "--allow-all", "--yes", "--etag", etag)).ExitCode);
        var said = await RunAsync("policy", "set", File, "--yes", "--etag", etag);
        Assert.Equal(ExitCode.Refused, said.ExitCode);
        Assert.Contains("somebody else has changed the policy since; nothing was changed", said.Error, StringComparison.Ordinal);
        // And so is one who was asked while another was quicker.
        using var hesitant = new Hesitant(() => _coordinator.SetPolicyAsync(NetworkPolicy.DenyAllText));
        using StringWriter output = new(), error = new();
        Assert.Equal(ExitCode.Refused, await CommandLine.RunAsync(["policy", "set", File, "--state-dir", _coordinator.StateDirectory], new Terminal(output, error, hesitant, true)));
        Assert.Contains("Someone else has changed this meanwhile; nothing was changed", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(NetworkPolicy.DenyAllText, Policy);
    }

    [Fact]
    public async Task A_policy_of_the_largest_size_is_taken_and_one_beyond_is_refused_with_a_position()
    {
        string most = Text + string.Concat(Enumerable.Repeat("//<<<<<<<\u00e9\u00e9\n", PolicyLimits.TextBytes / 14 - 100));
        await System.IO.File.WriteAllTextAsync(File, most);
        Assert.Equal(0, (await RunAsync("policy", "set", File, "--yes")).ExitCode);
        Assert.Equal(most, Policy);
        await System.IO.File.WriteAllTextAsync(File, Text + new string('\n', PolicyLimits.TextBytes));
        var said = await RunAsync("policy", "set", File, "--yes");
        Assert.Equal(ExitCode.Refused, said.ExitCode);
        Assert.Matches("^[0-9]+:[0-9]+: the policy has [0-9]+ bytes", said.Error);
    }

    [Fact]
    public async Task Explain_names_the_rule_or_says_why_there_is_none()
    {
        await RunAsync("policy", "set", File, "--yes");
        Assert.Equal((0, "allowed: web-1 to db-1, tcp:5432\n  by acls[0] (line 5)\n"), Plain(await RunAsync("policy", "explain", "web-1", "db-1:5432")));
        Assert.Equal(
            (0, "denied: ann@ to tag:db, tcp:22\n  no rule names laptop (ann's) as a source\n  neither stands in the other's map: they do not know of each other\n"),
            Plain(await RunAsync("policy", "explain", "ann@", "tag:db:22")));
        Assert.Contains("\"allowed\": false", (await RunAsync("policy", "explain", "web-1", "db-1", "--protocol", "icmp", "--json")).Output, StringComparison.Ordinal);
        var nobody = await RunAsync("policy", "explain", "web-7", "db-1:22");
        Assert.Equal(ExitCode.Refused, nobody.ExitCode);
        Assert.Contains("no machine is called web-7; did you mean web-1?", nobody.Error, StringComparison.Ordinal);
        await RunAsync("nodes", "expire", "db-1");
        Assert.Contains("db-1 is no member at present (expired)", (await RunAsync("policy", "explain", "web-1", "db-1:5432")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_policy_that_this_version_does_not_understand_is_said_to_be_not_in_force()
    {
        await _coordinator.Network.Runtime.ExecuteAsync(new Unchecked("""{"fromTheFuture": 1}"""), Actor.System, IdempotencyKey.None);
        foreach (string[] verb in (string[][])[["status"], ["networks", "list"], ["policy", "get"]])
            Assert.Contains("the policy last set in network default is not in force, and the one before it is", (await RunAsync(verb)).Error, StringComparison.Ordinal);
        Assert.Equal(NetworkPolicy.DenyAllText + "\n", (await RunAsync("policy", "get")).Output);
        Assert.Equal(0, (await RunAsync("policy", "set", File, "--yes")).ExitCode);
        Assert.Equal("", (await RunAsync("status")).Error);
    }

    private async Task JoinAsync(string name, CreatePreAuthKey command)
    {
        var machine = new TestMachine(_coordinator);
        _machines.Add(machine);
        await machine.RegisterAsync((await _coordinator.Network.Runtime.ExecuteAsync(command, Actor.System, IdempotencyKey.None)).Text!, name);
    }

    private static (int ExitCode, string Output) Plain(Said said)
    {
        Assert.Equal("", said.Error);
        return (said.ExitCode, said.Output);
    }

    private Task<Said> RunAsync(params string[] arguments) => RunAsync("", false, arguments);

    private async Task<Said> RunAsync(string input, bool isTerminal, params string[] arguments)
    {
        using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        using var answers = new StringReader(input);
        int exitCode = await CommandLine.RunAsync([.. arguments, "--state-dir", _coordinator.StateDirectory], new Terminal(output, error, answers, isTerminal));
        return new Said(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>As a later version would have set it.</summary>
    private sealed record Unchecked(string Text) : ICommand<Done>
    {
        public Decision<Done> Decide(NetworkState state, DecisionContext context) => new([new Mesh.Coordinator.Network.Events.PolicySet { Text = Text }], _ => default);

        public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
    }

    /// <summary>Somebody who says yes, but not before something else has happened.</summary>
    private sealed class Hesitant(Func<Task> first) : TextReader
    {
        public override string? ReadLine()
        {
            first().GetAwaiter().GetResult();
            return "yes";
        }
    }
}
