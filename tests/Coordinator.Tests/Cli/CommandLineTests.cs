using System.Text.Json;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Policy;
using Mesh.Protocol;

namespace Mesh.Coordinator.Tests.Cli;

public sealed class CommandLineTests : IAsyncLifetime
{
    private ServedCoordinator _coordinator = null!;

    public async ValueTask InitializeAsync() => _coordinator = await ServedCoordinator.StartAsync();

    public ValueTask DisposeAsync() => _coordinator.DisposeAsync();

    [Fact]
    public async Task Keys_create_prints_the_join_link_alone_on_stdout()
    {
        var said = await RunAsync("keys", "create");
        Assert.Equal((ExitCode.Ok, ""), (said.ExitCode, said.Error));
        Assert.True(JoinLink.TryParse(said.Output.TrimEnd('\n'), out var link, out _));
        using var machine = new TestMachine(_coordinator);
        await machine.RegisterAsync(link.PreAuthKey);
    }

    [Fact]
    public async Task A_shell_completes_verbs_and_options()
    {
        foreach (string shell in new[] { "bash", "zsh", "fish" })
        {
            var script = await Cli.Said.ByAsync("completion", shell);
            Assert.Equal(0, script.ExitCode);
            Assert.Contains("mesh-coordinator \"[suggest:", script.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("PROGRAM", script.Output, StringComparison.Ordinal);
        }
        Assert.Equal(ExitCode.Usage, (await Cli.Said.ByAsync("completion", "tcsh")).ExitCode);
        Assert.Contains("approve", (await Cli.Said.ByAsync("[suggest:6]", "nodes ")).Output.Split('\n'));
        Assert.Contains("--pre-approved", (await Cli.Said.ByAsync("[suggest:17]", "keys create --pre")).Output.Split('\n'));
    }

    [Fact]
    public async Task Keys_create_takes_its_options_into_the_key()
    {
        await RunAsync("users", "create", "Ann");
        var said = await RunAsync("keys", "create", "--reusable", "--ephemeral", "--expires", "7d", "--user", "ann", "--tag", "tag:a", "--tag", "tag:b", "--json");
        var key = JsonSerializer.Deserialize(said.Output, AdminJson.Default.CreatedKeyModel)!.Key;
        Assert.Equal((true, true, "ann"), (key.Reusable, key.Ephemeral, key.User));
        Assert.Equal(["tag:a", "tag:b"], key.Tags);
        Assert.Equal(TimeSpan.FromDays(7), key.ExpiresAt - key.CreatedAt);
        Assert.Null(JsonSerializer.Deserialize((await RunAsync("keys", "create", "--expires", "never", "--json")).Output, AdminJson.Default.CreatedKeyModel)!.Key.ExpiresAt);
    }

    [Theory]
    [InlineData("soon")]
    [InlineData("0h")]
    [InlineData("-1h")]
    [InlineData("24")]
    [InlineData("")]
    public async Task A_lifetime_that_is_none_is_a_usage_error(string expires)
    {
        var said = await RunAsync("keys", "create", "--expires", expires);
        Assert.Equal((ExitCode.Usage, ""), (said.ExitCode, said.Output));
        Assert.Empty(_coordinator.Network.Runtime.State.PreAuthKeys);
    }

    [Fact]
    public async Task A_revoked_key_lets_nobody_in_and_an_unknown_one_is_refused()
    {
        await RunAsync("keys", "create");
        Assert.Equal(ExitCode.Ok, (await RunAsync("keys", "revoke", "1")).ExitCode);
        Assert.Contains("revoked", (await RunAsync("keys", "list")).Output, StringComparison.Ordinal);
        var unknown = await RunAsync("keys", "revoke", "99");
        Assert.Equal(ExitCode.Refused, unknown.ExitCode);
        Assert.Contains("99", unknown.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Policy_set_without_a_terminal_and_without_yes_exits_2_and_changes_nothing()
    {
        var said = await RunAsync("policy", "set", "--allow-all");
        Assert.Equal((ExitCode.Usage, ""), (said.ExitCode, said.Output));
        Assert.Contains("--yes", said.Error, StringComparison.Ordinal);
        Assert.Equal(1, _coordinator.Network.Runtime.State.Position);
    }

    [Theory]
    [InlineData("y", ExitCode.Ok, NetworkPolicy.AllowAllText)]
    [InlineData("n", ExitCode.Usage, NetworkPolicy.DenyAllText)]
    [InlineData("", ExitCode.Usage, NetworkPolicy.DenyAllText)]
    public async Task Policy_set_on_a_terminal_asks(string answer, int exitCode, string then)
    {
        var said = await RunOnTerminalAsync(answer, "policy", "set", "--allow-all");
        Assert.Equal(exitCode, said.ExitCode);
        Assert.Equal(then, _coordinator.Network.Runtime.State.Policy.Text);
    }

    [Fact]
    public async Task Policy_set_with_yes_sets_and_get_says_so()
    {
        Assert.Equal(NetworkPolicy.DenyAllText + "\n", (await RunAsync("policy", "get")).Output);
        Assert.Equal("nobody gains or loses anything\nthe policy of network default is set (allow-all)\n", (await RunAsync("policy", "set", "--allow-all", "--yes")).Output);
        Assert.Equal(NetworkPolicy.AllowAllText + "\n", (await RunAsync("policy", "get")).Output);
        Assert.Equal(ExitCode.Usage, (await RunAsync("policy", "set", "--allow-all", "--deny-all", "--yes")).ExitCode);
        Assert.Equal(ExitCode.Usage, (await RunAsync("policy", "set", "--yes")).ExitCode);
    }

    [Fact]
    public async Task Nodes_networks_status_root_and_log_print_tables_and_JSON()
    {
        await _coordinator.AllowAllAsync();
        using var machine = await _coordinator.JoinAsync("web");
        using var poll = await machine.PollAsync();
        await poll.NextAsync();

        Assert.Contains("web", (await RunAsync("nodes", "list")).Output, StringComparison.Ordinal);
        var node = Assert.Single(JsonSerializer.Deserialize((await RunAsync("nodes", "list", "--json")).Output, AdminJson.Default.NodesOutput)!.Items);
        Assert.Equal(("web", "member", true), (node.Name, node.State, node.Online));

        Assert.Contains("allow-all", (await RunAsync("networks", "list")).Output, StringComparison.Ordinal);
        var status = JsonSerializer.Deserialize((await RunAsync("status", "--json")).Output, AdminJson.Default.StatusModel)!;
        Assert.Equal((1, 1), (status.Networks[0].Nodes, status.Networks[0].Online));
        Assert.Contains(status.Pin, (await RunAsync("status")).Output, StringComparison.Ordinal);
        Assert.Equal(status.Pin + "\n", (await RunAsync("root", "show")).Output);

        var events = JsonSerializer.Deserialize((await RunAsync("log", "list", "--json")).Output, AdminJson.Default.ListModelEventModel)!.Items;
        Assert.Equal(Enumerable.Range(1, events.Count).Select(i => (long)i), events.Select(e => e.Position));
        Assert.Contains(events, e => e.What.Contains("node web registered", StringComparison.Ordinal));
        Assert.Single(JsonSerializer.Deserialize((await RunAsync("log", "list", "--json", "--limit", "1", "--after", "2")).Output, AdminJson.Default.ListModelEventModel)!.Items);
        Assert.Equal(ExitCode.Ok, (await RunAsync("log", "verify")).ExitCode);
    }

    [Fact]
    public async Task An_unknown_network_is_refused_and_a_name_that_is_none_is_a_usage_error()
    {
        Assert.Equal(ExitCode.Refused, (await RunAsync("nodes", "list", "--network", "elsewhere")).ExitCode);
        Assert.Equal(ExitCode.Usage, (await RunAsync("nodes", "list", "--network", "../x")).ExitCode);
    }

    [Fact]
    public async Task A_coordinator_that_is_not_there_has_an_exit_code_of_its_own()
    {
        using var empty = new TemporaryDirectory();
        var said = await RunAsync(empty.Path, "", isTerminal: false, "status");
        Assert.Equal((ExitCode.Unreachable, ""), (said.ExitCode, said.Output));
        Assert.Contains("mesh-coordinator serve", said.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("keys")]
    [InlineData("keys", "create", "--surprise")]
    [InlineData("serve")]
    [InlineData("serve", "--listen", "nowhere")]
    [InlineData("serve", "--listen", "127.0.0.1:0", "--public-host", "no port")]
    [InlineData("serve", "--listen", "127.0.0.1:0", "--requests-per-address", "0")]
    public async Task A_wrong_command_line_exits_2(params string[] arguments) =>
        Assert.Equal(ExitCode.Usage, (await RunAsync(arguments)).ExitCode);

    [Fact]
    public async Task Serve_on_a_directory_in_use_and_on_an_address_in_use_says_so_with_exit_codes_of_their_own()
    {
        var held = await RunAsync("serve", "--listen", "127.0.0.1:0");
        Assert.Equal(ExitCode.StateDirectoryInUse, held.ExitCode);
        using var other = new TemporaryDirectory();
        var taken = await RunAsync(other.Path, "", false, "serve", "--listen", _coordinator.EndPoint.ToString());
        Assert.Equal(ExitCode.AddressUnusable, taken.ExitCode);
        Assert.Contains(_coordinator.EndPoint.ToString(), taken.Error, StringComparison.Ordinal);
        string deep = Path.Combine(other.Path, new string('x', 120));
        Assert.Equal(ExitCode.StateDirectoryUnusable, (await RunAsync(deep, "", false, "serve", "--listen", "127.0.0.1:0")).ExitCode);
    }

    [Fact]
    public async Task Every_verb_has_help_with_an_example()
    {
        string[][] verbs =
        [
            ["serve"], ["status"], ["keys", "create"], ["keys", "list"], ["keys", "revoke"], ["nodes", "list"], ["policy", "get"],
            ["policy", "set"], ["policy", "diff"], ["policy", "explain"], ["policy", "check"], ["policy", "test"], ["policy", "eval"], ["log", "list"], ["log", "verify"], ["log", "export"], ["log", "erase"], ["backup"], ["restore"], ["networks", "list"], ["networks", "create"], ["networks", "delete"],
            ["networks", "keep"], ["nodes", "show"], ["nodes", "rename"], ["nodes", "expire"], ["nodes", "delete"], ["root", "show"],
        ];
        foreach (string[] verb in verbs)
        {
            var said = await RunAsync([.. verb, "--help"]);
            Assert.Equal(ExitCode.Ok, said.ExitCode);
            Assert.Contains($"mesh-coordinator {string.Join(' ', verb)}", said.Output, StringComparison.Ordinal);
            Assert.Contains("Example", said.Output, StringComparison.Ordinal);
        }
    }

    private Task<Said> RunAsync(params string[] arguments) => RunAsync(_coordinator.StateDirectory, "", isTerminal: false, arguments);

    private Task<Said> RunOnTerminalAsync(string answer, params string[] arguments) =>
        RunAsync(_coordinator.StateDirectory, answer + "\n", isTerminal: true, arguments);

    private static async Task<Said> RunAsync(string stateDirectory, string input, bool isTerminal, params string[] arguments)
    {
        using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        using var answers = new StringReader(input);
        string[] where = arguments.Contains("--help") ? [] : ["--state-dir", stateDirectory];
        int exitCode = await CommandLine.RunAsync([.. arguments, .. where], new Terminal(output, error, answers, isTerminal));
        return new Said(exitCode, output.ToString(), error.ToString());
    }

    private sealed record Said(int ExitCode, string Output, string Error);
}
