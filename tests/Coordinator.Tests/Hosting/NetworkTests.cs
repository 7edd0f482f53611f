using Google.Protobuf;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Hosting;

/// <summary>Networks are made, deleted, kept and removed, and nothing crosses between two of them.</summary>
public sealed class NetworkTests : IAsyncLifetime
{
    private ServedCoordinator _coordinator = null!;

    public async ValueTask InitializeAsync()
    {
        _coordinator = await ServedCoordinator.StartAsync();
        Assert.Equal(ExitCode.Ok, await RunAsync("networks", "create", "other", "--ipv4", "10.77.0.0/16"));
    }

    public ValueTask DisposeAsync() => _coordinator.DisposeAsync();

    [Fact]
    public async Task A_machine_of_one_network_gets_nothing_of_another_with_that_ones_ids_keys_and_positions()
    {
        foreach (var name in new[] { "default", "other" })
            await _coordinator.NetworkOf(name).Runtime.ExecuteAsync(new SetPolicy(NetworkPolicy.AllowAllText), Actor.System, IdempotencyKey.None);
        using var ours = await JoinAsync("default", "ours");
        using var peer = await JoinAsync("default", "peer");
        using var theirs = await JoinAsync("other", "theirs");
        string otherBefore = Tests.Network.TestNetwork.Describe(_coordinator.NetworkOf("other").Runtime.State);
        var header = Header("other");
        var boot = ByteString.CopyFrom(ours.BootId);

        // Not a member there, whatever it asks.
        Assert.Equal(ProblemType.NotRegistered, (await ours.RefusedAsync(NodeApi.Map, new MapRequest { Header = header, BootId = boot })).Type);
        Assert.Equal(ProblemType.NotRegistered, (await ours.RefusedAsync(NodeApi.Report, new ReportRequest { Header = header, BootId = boot })).Type);
        Assert.Equal(ProblemType.NotRegistered, (await ours.RefusedAsync(NodeApi.Reach, new ReachRequest { Header = header, NodeId = theirs.Id })).Type);
        Assert.Equal(ProblemType.NotRegistered, (await ours.RefusedAsync(
            NodeApi.Rotate, new RotateRequest { Header = header, NodeKey = await ProveAsync(ours, "other") })).Type);
        // A logout where it never was is answered, and does nothing in either.
        await ours.CallAsync(NodeApi.Logout, new LogoutRequest { Header = header }, LogoutResponse.Parser);
        Assert.True(_coordinator.Network.Runtime.State.FindNode(ours.Id)!.IsMember(_coordinator.Clock.GetUtcNow()));

        // A key of the one lets nobody into the other, and a challenge of the one proves nothing in the other.
        var key = await KeyAsync("default");
        var register = new RegisterRequest { Header = header, NodeKey = await ProveAsync(ours, "other"), PreAuthKey = key, Hostname = "x" };
        Assert.Equal(ProblemType.KeyUnknown, (await ours.RefusedAsync(NodeApi.Register, register)).Type);
        register.NodeKey = await ProveAsync(ours, "default");
        register.PreAuthKey = await KeyAsync("other");
        Assert.Equal(ProblemType.Challenge, (await ours.RefusedAsync(NodeApi.Register, register)).Type);

        // Its own network knows no node of the other: by id, or from the other's side.
        Assert.Equal(ProblemType.NotFound, (await ours.RefusedAsync(NodeApi.Reach, new ReachRequest { Header = Header("default"), NodeId = theirs.Id })).Type);
        Assert.NotEqual(ours.Id >> 32, theirs.Id >> 32);
        using (var poll = await ours.PollAsync())
        {
            await poll.NextAsync();
            Assert.Equal([peer.Id], poll.Map.Peers.Keys);
        }

        // A member of both: the token of the one is none in the other, and the head of the one is no fork of the other.
        using var both = await JoinAsync("default", "both");
        await RegisterAsync(both, "other", await KeyAsync("other"), "both");
        var told = _coordinator.Log.Lines.Count;
        TestMap map;
        LogHead head;
        using (var poll = await both.PollAsync())
        {
            head = (await poll.NextAsync())!.Snapshot.Head;
            map = poll.Map;
        }
        var request = new MapRequest { Header = header, BootId = boot, ResumeToken = map.Token, KnownHead = head };
        using var response = await both.SendAsync(NodeApi.Map, request.ToByteArray(), until: HttpCompletionOption.ResponseHeadersRead);
        using var crossed = new TestPoll(response, await response.Content.ReadAsStreamAsync());
        var snapshot = (await crossed.NextAsync())!.Snapshot;
        Assert.True(snapshot.Reset);
        Assert.Equal([theirs.Id], snapshot.Peers.Select(p => p.NodeId));
        Assert.DoesNotContain(_coordinator.Log.Lines.Skip(told), line => line.Contains("remembers", StringComparison.Ordinal));
        Assert.Equal(LogHeadVerdict.BadSignature, LogHeads.Verify(
            head, _coordinator.NetworkOf("other").Runtime.Id.ToArray(), _coordinator.Server.Keys.RootSpki.Span));

        // The admin API, by the other's ids.
        Assert.Equal(ExitCode.Refused, await RunAsync("nodes", "show", $"{theirs.Id}"));
        Assert.Equal(ExitCode.Refused, await RunAsync("nodes", "delete", $"{theirs.Id}", "--yes"));
        Assert.Equal(ExitCode.Ok, await RunAsync("nodes", "show", $"{theirs.Id}", "--network", "other"));
        await _coordinator.NetworkOf("other").Runtime.ExecuteAsync(new DeleteNode(both.OtherId), Actor.System, IdempotencyKey.None);
        Assert.NotEqual(otherBefore, Tests.Network.TestNetwork.Describe(_coordinator.NetworkOf("other").Runtime.State)); // It can tell a change.
        Assert.Equal([theirs.Id], _coordinator.NetworkOf("other").Runtime.State.Nodes.Keys);
    }

    [Fact]
    public async Task Networks_have_files_keys_and_addresses_of_their_own()
    {
        var (one, two) = (_coordinator.Network.Runtime.State, _coordinator.NetworkOf("other").Runtime.State);
        Assert.NotEqual(one.Id, two.Id);
        Assert.NotEqual(one.AddressPlan.IPv6, two.AddressPlan.IPv6);
        var directory = _coordinator.Server.Networks.Directory;
        Assert.NotEqual(File.ReadAllBytes(directory.DataKeyPath("default")), File.ReadAllBytes(directory.DataKeyPath("other")));
        using var machine = await JoinAsync("other", "web");
        Assert.StartsWith("10.77.0.", two.AddressPlan.IPv4.Contains(_coordinator.NetworkOf("other").Runtime.State.FindNode(machine.Id)!.IPv4)
            ? _coordinator.NetworkOf("other").Runtime.State.FindNode(machine.Id)!.IPv4.ToString() : "elsewhere", StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deleted_network_serves_nobody_can_be_kept_and_is_gone_after_its_grace()
    {
        using var machine = await JoinAsync("default", "web");
        var poll = await machine.PollAsync();
        await poll.NextAsync();
        Assert.Equal(ExitCode.Usage, await RunAsync("networks", "delete", "default"));
        Assert.Equal(ExitCode.Ok, await RunAsync("networks", "delete", "default", "--grace", "24h", "--yes"));
        Assert.Equal(NoticeKind.Reconnect, (await poll.NextAsync())!.Notice.Kind);
        poll.Dispose();
        Assert.Equal(ProblemType.UnknownNetwork, (await Assert.ThrowsAsync<ProblemReceived>(() => machine.PollAsync())).Problem.Type);
        Assert.Equal(ExitCode.Refused, await RunAsync("networks", "create", "default"));

        Assert.Equal(ExitCode.Ok, await RunAsync("networks", "keep", "default"));
        Assert.Equal(ExitCode.Refused, await RunAsync("networks", "keep", "default"));
        using (var again = await machine.PollAsync()) await again.NextAsync();

        await RunAsync("networks", "delete", "default", "--grace", "24h", "--yes");
        await _coordinator.RestartAsync();
        using var later = new TestMachine(_coordinator, machine.Certificate);
        Assert.Equal(ProblemType.UnknownNetwork, (await Assert.ThrowsAsync<ProblemReceived>(() => later.PollAsync())).Problem.Type);
        _coordinator.Clock.Advance(TimeSpan.FromHours(23));
        await _coordinator.Server.Networks.PurgeDueAsync();
        Assert.True(Directory.Exists(Path.Combine(_coordinator.StateDirectory, "networks", "default")));
        _coordinator.Clock.Advance(TimeSpan.FromHours(1));
        await _coordinator.Server.Networks.PurgeDueAsync();
        Assert.Equal(["other"], _coordinator.Server.Networks.All.Select(n => n.Runtime.Name));
        Assert.False(Directory.Exists(Path.Combine(_coordinator.StateDirectory, "networks", "default")));
        // The name is free, and what is made under it is another network.
        Assert.Equal(ExitCode.Ok, await RunAsync("networks", "create", "default"));
        Assert.Empty(_coordinator.Network.Runtime.State.Nodes);
    }

    [Fact]
    public async Task Without_grace_a_network_is_gone_at_once_and_a_coordinator_that_lost_its_last_is_given_no_new_one()
    {
        Assert.Equal(ExitCode.Ok, await RunAsync("networks", "delete", "default", "--grace", "0", "--yes"));
        Assert.Equal(ExitCode.Ok, await RunAsync("networks", "delete", "other", "--grace", "0", "--yes"));
        Assert.Empty(_coordinator.Server.Networks.All);
        await _coordinator.RestartAsync();
        Assert.Empty(_coordinator.Server.Networks.All);
        Assert.Equal(ExitCode.Ok, await RunAsync("networks", "list"));
    }

    [Theory]
    [InlineData("default")]
    [InlineData("Upper")]
    [InlineData("../x")]
    [InlineData("")]
    public async Task A_name_that_is_taken_or_none_is_refused(string name) =>
        Assert.NotEqual(ExitCode.Ok, await RunAsync("networks", "create", name));

    [Theory]
    [InlineData("--ipv4", "10.0.0.0/31")]
    [InlineData("--ipv4", "fd00::/48")]
    [InlineData("--ipv4", "10.0.0.1")]
    [InlineData("--ipv6", "10.0.0.0/8")]
    public async Task A_pool_that_is_none_is_refused(string option, string pool) =>
        Assert.Equal(ExitCode.Refused, await RunAsync("networks", "create", "third", option, pool));

    private async Task<int> RunAsync(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        return await CommandLine.RunAsync([.. arguments, "--state-dir", _coordinator.StateDirectory], new Terminal(output, error, TextReader.Null, false));
    }

    private async Task<string> KeyAsync(string network) => (await _coordinator.NetworkOf(network).Runtime.ExecuteAsync(
        new CreatePreAuthKey { Lifetime = null }, Actor.System, IdempotencyKey.None)).Text!;

    private async Task<Member> JoinAsync(string network, string hostname)
    {
        var machine = new Member(_coordinator);
        machine.Id = await RegisterAsync(machine, network, await KeyAsync(network), hostname);
        return machine;
    }

    private static async Task<ulong> RegisterAsync(Member machine, string network, string key, string hostname)
    {
        var request = new RegisterRequest { Header = Header(network), NodeKey = await ProveAsync(machine, network), PreAuthKey = key, Hostname = hostname };
        var id = (await machine.CallAsync(NodeApi.Register, request, RegisterResponse.Parser)).NodeId;
        machine.OtherId = id;
        return id;
    }

    private static async Task<NodeKeyProof> ProveAsync(TestMachine machine, string network) => machine.Prove(
        machine.NodeKey, await machine.CallAsync(NodeApi.Challenge, new ChallengeRequest { Header = Header(network) }, ChallengeResponse.Parser));

    private static RequestHeader Header(string network) => TestMachine.Header(network);
}

/// <summary>A machine that may be a member of two networks.</summary>
internal sealed class Member(ServedCoordinator coordinator, System.Security.Cryptography.X509Certificates.X509Certificate2? certificate = null)
    : TestMachine(coordinator, certificate)
{
    public ulong Id { get; set; }

    public ulong OtherId { get; set; }
}
