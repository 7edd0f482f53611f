using System.Text.RegularExpressions;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Tests.Cli;

/// <summary>Every admin verb through the socket and over TLS: the same words, the same exit codes, the same effects.</summary>
public sealed partial class VerbsBothWaysTests : IAsyncLifetime
{
    private ServedCoordinator _coordinator = null!;
    private Dictionary<string, string> _environment = [];
    private string[] _target = [];
    private string? _token;

    public async ValueTask InitializeAsync() => _coordinator = await ServedCoordinator.StartAsync();

    public ValueTask DisposeAsync() => _coordinator.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_verb_works(bool remote)
    {
        Choose(remote);
        using var machine = await _coordinator.JoinAsync("web");
        await SaysAsync(0, "admin    mesh://127.0.0.1:", "status");
        await SaysAsync(0, "default", "networks", "list");
        await SaysAsync(0, "network staging is made", "networks", "create", "staging");
        await SaysAsync(0, "network staging is deleted", "networks", "delete", "staging", "--yes");
        await SaysAsync(0, "network staging is served again", "networks", "keep", "staging");
        await SaysAsync(2, "networks delete needs --yes", "networks", "delete", "staging");
        await SaysAsync(0, "mesh://127.0.0.1:", "keys", "create", "--reusable", "--tag", "tag:ci");
        await SaysAsync(0, "reusable", "keys", "list");
        await SaysAsync(0, "key 2 is revoked", "keys", "revoke", "2");
        await SaysAsync(1, "There is no pre-auth key 9", "keys", "revoke", "9");
        await SaysAsync(0, "web", "nodes", "list");
        await SaysAsync(0, "machine key", "nodes", "show", "web");
        await SaysAsync(0, "is www", "nodes", "rename", "web", "www");
        await SaysAsync(0, "expires at", "nodes", "expire", "www", "--in", "30d");
        await SaysAsync(0, "expires at", "nodes", "expire", "www", "--in", "13d");
        await SaysAsync(0, "(soon)", "nodes", "list");
        await SaysAsync(0, "1 machine(s) will expire within 14 days", "nodes", "list");
        await SaysAsync(1, "no node of that id or name", "nodes", "show", "../keys");
        await SaysAsync(0, "{\"acls\": []}", "policy", "get");
        await SaysAsync(0, "\"gains\": []", "policy", "diff", "--allow-all", "--json");
        await SaysAsync(0, "allowed: www reaches itself", "policy", "explain", "www", "www:22");
        await SaysAsync(0, "is set (allow-all)", "policy", "set", "--allow-all", "--yes");
        await SaysAsync(2, "policy set needs --yes", "policy", "set", "--deny-all");
        await SaysAsync(0, "policy set to allow-all", "log", "list");
        await SaysAsync(0, "\"payload\"", "log", "export");
        await SaysAsync(0, "is whole", "log", "verify");
        await SaysAsync(0, "has tag:db tag:web", "nodes", "tag", "www", "tag:web", "tag:db");
        await SaysAsync(1, "A tag is", "nodes", "tag", "www", "web");
        await SaysAsync(0, "user ann is created", "users", "create", "Ann", "--email", "ann@example.com");
        await SaysAsync(1, "has the name ann", "users", "create", "ann");
        await SaysAsync(0, "ann@example.com", "users", "list");
        await SaysAsync(0, "display name", "users", "show", "ann");
        await SaysAsync(0, "is bea", "users", "rename", "ann", "bea");
        await SaysAsync(1, "no such user", "keys", "create", "--user", "ann");
        await SaysAsync(2, "users delete needs --yes", "users", "delete", "bea");
        await SaysAsync(0, "user bea is deleted", "users", "delete", "bea", "--yes");
        await SaysAsync(0, "approval required, users' machines expire after 90d, node keys change never",
            "networks", "set", "default", "--approval", "on", "--expiry", "90d", "--rotate-keys", "never");
        await SaysAsync(2, "one of --approval", "networks", "set", "default");
        using var waiting = new TestMachine(_coordinator);
        string code = (await waiting.RegisterAsync(null, "stranger")).ApprovalCode;
        await SaysAsync(0, code, "nodes", "list");
        await SaysAsync(0, "stranger", "nodes", "approve");
        await SaysAsync(0, "tag:ci", "nodes", "approve", code.ToLowerInvariant().Replace("-", "", StringComparison.Ordinal), "--tag", "tag:ci");
        await SaysAsync(1, "No machine waits", "nodes", "approve", code);
        await SaysAsync(0, "\"approvalRequired\": false", "networks", "set", "default", "--approval", "off", "--json");
        await SaysAsync(0, "node www is deleted", "nodes", "delete", "www", "--yes");
        await SaysAsync(0, "", "log", "erase", "--node", $"{machine.NodeId}", "--yes");
        using var directory = new TemporaryDirectory();
        await SaysAsync(0, "is written", "backup", "--output", Path.Combine(directory, "mesh.tar"));
        await SaysAsync(0, "mtok_", "tokens", "create", "bob", "--expires", "1h");
        await SaysAsync(0, "bob", "tokens", "list");
        await SaysAsync(0, "(bob) is revoked", "tokens", "revoke", remote ? "2" : "1");
        await SaysAsync(1, "There is no admin token 9", "tokens", "revoke", "9");
        await SaysAsync(0, "", "root", "show");
        await SaysAsync(1, "no network of that name", "nodes", "list", "--network", "nowhere");
        var who = await SayAsync("log", "list", "--kind", "PolicySet");
        Assert.Contains(remote ? "tester (token 1)" : "admin(uid ", who.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_list_says_is_the_same_both_ways()
    {
        using var machine = await _coordinator.JoinAsync("web");
        await _coordinator.CreateKeyAsync();
        foreach (string[] verb in (string[][])[["status"], ["networks", "list"], ["nodes", "list"], ["nodes", "show", "web"], ["keys", "list"], ["policy", "get"], ["tokens", "list"], ["root", "show"], ["log", "list"], ["log", "export"]])
        {
            foreach (bool json in (bool[])[false, true])
            {
                if (json && verb is ["log", "export"]) continue;
                string[] line = json ? [.. verb, "--json"] : verb;
                Choose(remote: true);
                var far = await SayAsync(line);
                Choose(remote: false);
                var near = await SayAsync(line);
                Assert.Equal(Online().Replace(near.Output, ""), Online().Replace(far.Output, ""));
                Assert.Equal((0, near.Error), (far.ExitCode, far.Error));
            }
        }
    }

    [Fact]
    public async Task A_token_comes_from_a_file_or_the_environment_and_never_from_an_argument()
    {
        var (_, text) = _coordinator.Server.Tokens.Create("file", null, Actor.System);
        using var directory = new TemporaryDirectory();
        string file = Path.Combine(directory, "token");
        await File.WriteAllTextAsync(file, text + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var good = await Said.ByAsync("policy", "get", "--coordinator", _coordinator.AdminAddress, "--token-file", file);
        Assert.Equal((0, "{\"acls\": []}\n", ""), (good.ExitCode, good.Output, good.Error));
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Contains("chmod 600", (await Said.ByAsync("policy", "get", "--coordinator", _coordinator.AdminAddress, "--token-file", file)).Error, StringComparison.Ordinal);
        Assert.Equal(2, (await Said.ByAsync("policy", "get", "--coordinator", _coordinator.AdminAddress)).ExitCode);
        Assert.Equal(2, (await Said.ByAsync("policy", "get", "--coordinator", _coordinator.AdminAddress, "--token", text)).ExitCode);
    }

    [Fact]
    public async Task Whatever_is_wrong_on_the_way_is_said_with_what_to_do()
    {
        var (_, text) = _coordinator.Server.Tokens.Create("x", null, Actor.System);
        Dictionary<string, string> good = new() { ["MESH_TOKEN"] = text }, old = new() { ["MESH_TOKEN"] = "mtok_" + new string('A', 43) };
        string address = _coordinator.AdminAddress;
        string otherPin = address[..address.LastIndexOf('/')] + "/" + new string('A', 43);
        await using var other = await ServedCoordinator.StartAsync();
        (Dictionary<string, string> Environment, string[] Target, int ExitCode, string Words)[] table =
        [
            (old, ["--coordinator", address], 4, "no admin token that is good"),
            (good, ["--coordinator", otherPin], 3, "not the one that the pin names"),
            (good, ["--coordinator", other.AdminAddress], 4, "no admin token that is good"),
            (good, ["--coordinator", $"mesh://{_coordinator.EndPoint}/{address[(address.LastIndexOf('/') + 1)..]}"], 3, "--admin-listen"),
            (good, ["--coordinator", "mesh://127.0.0.1:1/" + new string('A', 43)], 3, "no coordinator answers"),
            (good, ["--coordinator", "https://127.0.0.1"], 2, "mesh://"),
            (good, ["--coordinator", address + "/default"], 2, "not a join link"),
            (good, ["--coordinator", address, "--state-dir", _coordinator.StateDirectory], 2, "one of --state-dir and --coordinator"),
            (good, [], 2, "one of --state-dir and --coordinator"),
            (new() { ["MESH_TOKEN"] = "hunter2" }, ["--coordinator", address], 2, "not an admin token"),
            (good, ["--coordinator", address, "--token-file", "/nonexistent"], 2, "cannot be read"),
        ];
        foreach (var (environment, target, exitCode, words) in table)
        {
            var said = await Said.ByAsync(environment, ["status", .. target]);
            Assert.True(exitCode == said.ExitCode, $"{string.Join(' ', target)}: {said}");
            Assert.Contains(words, said.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("mtok_A", said.Error, StringComparison.Ordinal);
            Assert.InRange(said.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, 1, 2);
        }
    }

    private void Choose(bool remote)
    {
        if (!remote)
        {
            (_environment, _target) = ([], ["--state-dir", _coordinator.StateDirectory]);
            return;
        }
        _token ??= _coordinator.Server.Tokens.Create("tester", null, Actor.System).Text;
        (_environment, _target) = (new() { ["MESH_TOKEN"] = _token }, ["--coordinator", _coordinator.AdminAddress]);
    }

    private Task<Said> SayAsync(params string[] verb) => Said.ByAsync(_environment, [.. verb, .. _target]);

    private async Task SaysAsync(int exitCode, string words, params string[] verb)
    {
        var said = await SayAsync(verb);
        Assert.True(exitCode == said.ExitCode, $"{string.Join(' ', verb)}: {said}");
        Assert.Contains(words, said.Output + said.Error, StringComparison.Ordinal);
    }

    // What goes on between two looks.
    [GeneratedRegex("last seen.*|\"lastSeen\".*")]
    private static partial Regex Online();
}
