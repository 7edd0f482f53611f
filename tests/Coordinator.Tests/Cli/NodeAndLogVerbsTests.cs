using System.Text.Json;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Cli;

namespace Mesh.Coordinator.Tests.Cli;

public sealed class NodeAndLogVerbsTests : IAsyncLifetime
{
    private ServedCoordinator _coordinator = null!;

    public async ValueTask InitializeAsync() => _coordinator = await ServedCoordinator.StartAsync();

    public ValueTask DisposeAsync() => _coordinator.DisposeAsync();

    [Fact]
    public async Task A_node_is_shown_renamed_expired_let_back_in_and_deleted()
    {
        using var machine = await _coordinator.JoinAsync("web");
        var shown = await RunAsync("nodes", "show", "web");
        Assert.Contains($"{machine.NodeId}", shown.Output, StringComparison.Ordinal);
        Assert.Contains("pre-auth key 1", shown.Output, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("nodes", "rename", "web", "db")).ExitCode);
        Assert.Equal(ExitCode.Refused, (await RunAsync("nodes", "rename", "db", "Not A Name")).ExitCode);
        Assert.Equal(ExitCode.Refused, (await RunAsync("nodes", "show", "web")).ExitCode);

        await RunAsync("nodes", "expire", "db");
        Assert.Equal("expired", (await ModelAsync("db")).State);
        await RunAsync("nodes", "expire", "db", "--in", "30d");
        Assert.Equal(("member", _coordinator.Clock.GetUtcNow().AddDays(30).ToUnixTimeMilliseconds()),
            ((await ModelAsync("db")).State, (await ModelAsync("db")).ExpiresAt!.Value.ToUnixTimeMilliseconds()));
        await RunAsync("nodes", "expire", "db", "--in", "never");
        Assert.Null((await ModelAsync("db")).ExpiresAt);
        Assert.Equal(ExitCode.Usage, (await RunAsync("nodes", "expire", "db", "--in", "tomorrow")).ExitCode);

        Assert.Equal(ExitCode.Usage, (await RunAsync("nodes", "delete", "db")).ExitCode);
        Assert.Equal(0, (await RunAsync("nodes", "delete", $"{machine.NodeId}", "--yes")).ExitCode);
        Assert.Equal(ExitCode.Refused, (await RunAsync("nodes", "show", $"{machine.NodeId}")).ExitCode);
    }

    [Fact]
    public async Task A_machine_that_calls_itself_by_anothers_id_is_not_taken_for_it()
    {
        using var victim = await _coordinator.JoinAsync("victim");
        using var impostor = await _coordinator.JoinAsync($"{victim.NodeId}");
        Assert.Equal(victim.NodeId, (await ModelAsync($"{victim.NodeId}")).Id);
    }

    [Fact]
    public async Task The_log_is_filtered_by_who_what_kind_and_time()
    {
        using var web = await _coordinator.JoinAsync("web");
        using var db = await _coordinator.JoinAsync("db");
        var noon = _coordinator.Clock.GetUtcNow().AddMinutes(30);
        _coordinator.Clock.Advance(TimeSpan.FromHours(1));
        await RunAsync("nodes", "rename", "web", "www");
        await RunAsync("nodes", "expire", "db");

        Assert.Equal(["NodeRegistered", "NodeRenamed"], await KindsAsync("--node", $"{web.NodeId}"));
        Assert.Equal(["NodeRenamed"], await KindsAsync("--node", "web", "--since", $"{noon:O}"));
        Assert.Equal(["NodeRenamed", "NodeExpirySet"], await KindsAsync("--actor", "uid"));
        Assert.Equal(["NodeExpirySet"], await KindsAsync("--kind", "nodeexpiryset"));
        Assert.Equal(["NetworkCreated", "PreAuthKeyCreated", "NodeRegistered", "PreAuthKeyCreated", "NodeRegistered"], await KindsAsync("--until", $"{noon:O}"));
        var refused = await RunAsync("log", "list", "--kind", "nonsense");
        Assert.Equal(ExitCode.Refused, refused.ExitCode);
        Assert.Contains("NodeRegistered", refused.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await RunAsync("log", "list", "--since", "whenever")).ExitCode);
    }

    [Fact]
    public async Task The_log_is_exported_as_JSON_lines_with_all_that_it_says_and_no_secret()
    {
        using var web = await _coordinator.JoinAsync("web");
        var lines = (await RunAsync("log", "export")).Output.TrimEnd('\n').Split('\n').Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(Enumerable.Range(1, lines.Count).Select(i => (long)i), lines.Select(line => line.GetProperty("position").GetInt64()));
        var registered = lines.Single(line => line.GetProperty("kind").GetString() == "NodeRegistered");
        Assert.Equal("web", registered.GetProperty("payload").GetProperty("name").GetString());
        Assert.Equal(web.NodeId, registered.GetProperty("node").GetUInt64());
        Assert.DoesNotContain("mkey_", (await RunAsync("log", "export")).Output, StringComparison.Ordinal);
        Assert.Single((await RunAsync("log", "export", "--kind", "NodeRegistered")).Output.TrimEnd('\n').Split('\n'));
    }

    private async Task<NodeModel> ModelAsync(string node) =>
        JsonSerializer.Deserialize((await RunAsync("nodes", "show", node, "--json")).Output, AdminJson.Default.NodeModel)!;

    private async Task<IEnumerable<string>> KindsAsync(params string[] filter) =>
        JsonSerializer.Deserialize((await RunAsync(["log", "list", "--json", .. filter])).Output, AdminJson.Default.ListModelEventModel)!.Items.Select(e => e.Kind);

    private Task<Said> RunAsync(params string[] arguments) => Said.ByAsync([.. arguments, "--state-dir", _coordinator.StateDirectory]);
}
