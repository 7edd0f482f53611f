using System.Net.Sockets;
using System.Text.Json;
using Mesh.Node.Cli;
using Mesh.Node.LocalApi;

namespace Mesh.Node.Tests.Cli;

public sealed class MeshCommandTests : IDisposable
{
    private static readonly string[] Verbs = ["daemon", "up", "down", "status", "ip", "ping", "why", "rotate", "logout", "completion"];
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string> AllVerbs => [.. Verbs];

    private string SocketPath => _directory.File("s");

    public void Dispose() => _directory.Dispose();

    private static async Task<(int Code, string Output, string Error)> RunAsync(string[] arguments, string input = "")
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = await MeshCommand.RunAsync(arguments, new CommandStreams(new StringReader(input), output, error));
        return (code, output.ToString(), error.ToString());
    }

    [Theory]
    [MemberData(nameof(AllVerbs))]
    public async Task Every_verb_has_help_with_an_example(string verb)
    {
        var (code, output, error) = await RunAsync([verb, "--help"]);
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("Example:", output, StringComparison.Ordinal);
        Assert.Contains("mesh " + verb, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_shell_completes_verbs_and_options()
    {
        foreach (string shell in new[] { "bash", "zsh", "fish" })
        {
            var script = await RunAsync(["completion", shell]);
            Assert.Equal((0, ""), (script.Code, script.Error));
            Assert.Contains("mesh \"[suggest:", script.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("PROGRAM", script.Output, StringComparison.Ordinal);
        }
        Assert.Equal((int)ExitCode.Usage, (await RunAsync(["completion", "tcsh"])).Code);
        Assert.Contains("rotate", (await RunAsync(["[suggest:0]", ""])).Output.ReplaceLineEndings("\n").Split('\n'));
        Assert.Contains("--hostname", (await RunAsync(["[suggest:9]", "up --host"])).Output.ReplaceLineEndings("\n").Split('\n'));
    }

    [Fact]
    public async Task Help_names_every_exit_code()
    {
        string help = (await RunAsync(["--help"])).Output;
        Assert.Equal(Enum.GetValues<ExitCode>().Order(), ExitCodeTable.All.Select(entry => entry.Code).Order());
        string flat = string.Join(' ', help.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        foreach (var (code, words) in ExitCodeTable.All) Assert.Contains($"{(int)code} {words}", flat, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dance")]
    [InlineData("up --mtu")]
    [InlineData("up --mtu x")]
    [InlineData("daemon --listen-port 70000")]
    [InlineData("daemon --listen-port any")]
    [InlineData("daemon --queues")]
    [InlineData("daemon --queues 0")]
    [InlineData("wg wg0 --queues 17")]
    [InlineData("wg wg0 --queues many")]
    [InlineData("ping")]
    [InlineData("why")]
    [InlineData("why b")]
    [InlineData("why b:70000")]
    [InlineData("why b:22 --protocol 300")]
    [InlineData("status --nonsense")]
    public async Task A_bad_command_line_exits_2_with_two_lines_at_most(string line)
    {
        var (code, output, error) = await RunAsync(line.Split(' '));
        Assert.Equal((2, ""), (code, output));
        Assert.InRange(error.TrimEnd().Split('\n').Length, 1, 2);
        Assert.StartsWith("mesh: ", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("up -")]
    [InlineData("up")]
    [InlineData("down")]
    [InlineData("status")]
    [InlineData("ip")]
    [InlineData("ping x")]
    [InlineData("why x:22")]
    [InlineData("logout")]
    public async Task Without_a_daemon_every_verb_says_how_to_start_one(string line)
    {
        var (code, output, error) = await RunAsync([.. line.Split(' '), "--socket", SocketPath], input: "mesh://x\n");
        Assert.Equal(((int)ExitCode.NoDaemon, ""), (code, output));
        Assert.Contains("no mesh daemon answers", error, StringComparison.Ordinal);
        Assert.Contains("mesh daemon --state-dir", error, StringComparison.Ordinal);
        Assert.Equal(2, error.TrimEnd().Split('\n').Length);
    }

    [Fact]
    public async Task An_empty_standard_input_is_no_link()
    {
        var (code, _, error) = await RunAsync(["up", "-", "--socket", SocketPath], input: "\n  \n");
        Assert.Equal((int)ExitCode.Usage, code);
        Assert.Contains("held no join link", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Up_takes_the_link_from_standard_input_and_hands_everything_on()
    {
        using var daemon = new CannedDaemon(SocketPath, new LocalAnswer(Done: new DoneAnswer(Up: new UpAnswer("default", "a", ["100.64.0.1", "fd00::1"], null))));
        var (code, output, _) = await RunAsync(
            ["up", "-", "--hostname", "a", "--endpoint", "1.2.3.4:5", "--endpoint", "[::1]:6", "--mtu", "1300", "--socket", SocketPath, "--json"],
            input: "\n mesh://h:1/p/n#mkey_x \n");
        Assert.Equal(0, code);
        var asked = (await daemon.Asked).Up!;
        Assert.Equal(("mesh://h:1/p/n#mkey_x", "a", 1300), (asked.Link, asked.Hostname, asked.Mtu));
        Assert.Equal(["1.2.3.4:5", "[::1]:6"], asked.Endpoints!);
        Assert.Equal("100.64.0.1", JsonDocument.Parse(output).RootElement.GetProperty("addresses")[0].GetString());
    }

    [Fact]
    public async Task Status_json_has_the_documented_shape()
    {
        using var daemon = new CannedDaemon(SocketPath, new LocalAnswer(Done: new DoneAnswer(Status: Sample())));
        var (code, output, _) = await RunAsync(["status", "--json", "--socket", SocketPath]);
        Assert.Equal(0, code);
        var root = JsonDocument.Parse(output).RootElement;
        foreach (string name in (string[])["name", "network", "addresses", "nodeKey", "state"]) Assert.True(root.GetProperty("self").TryGetProperty(name, out _), name);
        foreach (string name in (string[])["connected", "position"]) Assert.True(root.GetProperty("coordinator").TryGetProperty(name, out _), name);
        var peer = root.GetProperty("peers")[0];
        foreach (string name in (string[])["name", "addresses", "online", "path", "endpoint", "relay", "reason", "latencyMs", "rxBytes", "txBytes", "lastHandshake"])
            Assert.True(peer.TryGetProperty(name, out _), name);
    }

    [Fact]
    public async Task Status_shows_people_their_peers_and_warnings()
    {
        using var daemon = new CannedDaemon(SocketPath, new LocalAnswer(Done: new DoneAnswer(Status: Sample())));
        string output = (await RunAsync(["status", "--socket", SocketPath])).Output;
        Assert.Contains("self in network default, up: 100.64.0.1", output, StringComparison.Ordinal);
        Assert.Contains("Warning: set the clock", output, StringComparison.Ordinal);
        Assert.Contains("direct via 10.0.0.2:51820", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ping_prints_one_object_a_reply_and_succeeds_when_any_came()
    {
        using var daemon = new CannedDaemon(SocketPath,
            new LocalAnswer(Reply: new PingReply("b", "100.64.0.2", 1, "none", null, null, "no answer")),
            new LocalAnswer(Reply: new PingReply("b", "100.64.0.2", 2, "direct", "10.0.0.2:51820", 0.42, null)),
            new LocalAnswer(Done: new DoneAnswer()));
        var (code, output, _) = await RunAsync(["ping", "b", "--json", "--socket", SocketPath]);
        Assert.Equal(0, code);
        Assert.Equal(5, (await daemon.Asked).Ping!.Count);
        var replies = output.TrimEnd().Split('\n').Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal(["none", "direct"], replies.Select(reply => reply.GetProperty("path").GetString()!).ToArray());
        Assert.Equal(0.42, replies[1].GetProperty("latencyMs").GetDouble());
    }

    [Fact]
    public async Task Ping_without_any_answer_has_an_exit_code_of_its_own()
    {
        using var daemon = new CannedDaemon(SocketPath,
            new LocalAnswer(Reply: new PingReply("b", "100.64.0.2", 1, "none", null, null, "no answer")), new LocalAnswer(Done: new DoneAnswer()));
        Assert.Equal((int)ExitCode.NoReply, (await RunAsync(["ping", "b", "-c", "1", "--socket", SocketPath])).Code);
    }

    [Fact]
    public async Task What_the_daemon_says_went_wrong_becomes_two_lines_and_its_exit_code()
    {
        using var daemon = new CannedDaemon(SocketPath, new LocalAnswer(Error: new ErrorAnswer(ExitCode.Refused, "the join link\nhas expired", "Ask for another.")));
        var (code, output, error) = await RunAsync(["up", "mesh://x", "--socket", SocketPath]);
        Assert.Equal(((int)ExitCode.Refused, ""), (code, output));
        Assert.Equal(["mesh: the join link has expired", "  Ask for another."], error.TrimEnd().Split('\n'));
    }

    [Theory]
    [InlineData("b:22", "b", 22, 6)]
    [InlineData("100.64.0.2:22 --protocol UDP", "100.64.0.2", 22, 17)]
    [InlineData("[fd00::2]:22", "fd00::2", 22, 6)]
    [InlineData("fd00::2 --protocol icmp", "fd00::2", null, 58)]
    [InlineData("[fd00::2] --protocol 47", "fd00::2", null, 47)]
    [InlineData("b --protocol icmp", "b", null, 1)]
    public async Task Why_asks_about_a_host_a_port_and_a_protocol(string line, string host, int? port, int protocol)
    {
        var answer = new WhyAnswer(host, "100.64.0.2", port, protocol, "07", new WhyDirection(WhyDirection.PeerDecides, "b decides"),
            new WhyDirection(WhyDirection.Denied, "no rule"), new Dictionary<string, long> { ["PolicyDenied"] = 3 });
        string[] words = ["why", .. line.Split(' '), "--socket", SocketPath];
        using (var daemon = new CannedDaemon(SocketPath, new LocalAnswer(Done: new DoneAnswer(Why: answer))))
        {
            var (code, output, _) = await RunAsync([.. words, "--json"]);
            Assert.Equal(0, code);
            Assert.Equal(new WhyRequest(host, port, protocol), (await daemon.Asked).Why);
            var root = JsonDocument.Parse(output).RootElement;
            Assert.Equal("denied", root.GetProperty("inbound").GetProperty("verdict").GetString());
            Assert.Equal(3, root.GetProperty("drops").GetProperty("PolicyDenied").GetInt64());
        }
        File.Delete(SocketPath);
        using (var daemon = new CannedDaemon(SocketPath, new LocalAnswer(Done: new DoneAnswer(Why: answer))))
            Assert.Contains("denied: no rule\nDropped of", (await RunAsync(words)).Output, StringComparison.Ordinal);
    }

    private static NodeStatus Sample() => new(
        new SelfStatus("self", "default", ["100.64.0.1"], "key", "up", "mesh0", 51820, null, null, ["set the clock"]),
        new CoordinatorStatus(true, 12, "c:7700", null),
        [new PeerStatus("b", ["100.64.0.2"], true, "direct", "10.0.0.2:51820", null, null, 0.5, 2048, 3 << 20, DateTimeOffset.UnixEpoch)]);

    /// <summary>Takes one request and answers what it was made with.</summary>
    private sealed class CannedDaemon : IDisposable
    {
        private readonly Socket _listener;

        public CannedDaemon(string path, params LocalAnswer[] answers)
        {
            _listener = LocalSocket.Listen(path);
            Asked = ServeAsync(answers);
        }

        public Task<LocalRequest> Asked { get; }

        public void Dispose() => _listener.Dispose();

        private async Task<LocalRequest> ServeAsync(LocalAnswer[] answers)
        {
            using var channel = new LineChannel(await _listener.AcceptAsync());
            var request = await channel.ReadAsync(LocalJson.Default.LocalRequest, LineChannel.MaxRequestBytes, default);
            foreach (var answer in answers) await channel.WriteAsync(LocalJson.Default.LocalAnswer, answer, default);
            return request!;
        }
    }
}
