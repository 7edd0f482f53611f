using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Mesh.Node.Cli;
using Mesh.Node.Daemon;
using Mesh.Node.Device;
using Mesh.Node.LocalApi;
using Mesh.Node.State;
using Mesh.Node.Tests.Control;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Node.Tests.LocalApi;

/// <summary>A node against a coordinator whose answers are written here, over real TLS; the tunnel is the only fake.</summary>
public sealed class NodeRuntimeTests : IAsyncDisposable
{
    private const string Key = "mkey_abc";
    private readonly TemporaryDirectory _directory = new();
    private readonly TestCoordinator _coordinator = new();
    private readonly FakeTunnel _tunnel = new();
    private readonly ConcurrentQueue<MapRequest> _polls = new();
    private readonly ConcurrentQueue<ReportRequest> _reports = new();
    private readonly ConcurrentQueue<RegisterRequest> _registrations = new();
    private StateDirectory _state;
    private NodeRuntime _runtime;
    private Func<HttpContext, Task> _map = context => Task.Delay(Timeout.Infinite, context.RequestAborted);
    private Func<RegisterResponse> _registered = () => new RegisterResponse
    {
        Status = RegistrationStatus.Registered,
        NodeId = MapSamples.SelfId,
        Name = "self",
        Addresses = { MapSamples.Address(250) },
    };
    private string? _refusal;

    public NodeRuntimeTests()
    {
        _state = StateDirectory.Open(_directory.Path);
        _runtime = NewRuntime();
        _coordinator.Handler = HandleAsync;
    }

    public async ValueTask DisposeAsync()
    {
        await _runtime.DisposeAsync();
        await _coordinator.DisposeAsync();
        _state.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task One_link_joins_brings_the_tunnel_up_and_reports_endpoints()
    {
        await _coordinator.StartAsync();
        _map = context => ServeAsync(context, Snapshot(1, 1, 2));
        var up = await UpAsync(_coordinator.Link(Key).Reveal());
        Assert.Equal(("default", "self"), (up.Network, up.Name));
        Assert.Equal(["100.64.1.250"], up.Addresses);
        Assert.True(_tunnel.IsUp);
        Assert.Equal([1UL, 2], _tunnel.Peers.Select(peer => peer.Id).Order().ToArray());
        Assert.Equal("10.0.0.1:51820", _tunnel.Endpoints[1].ToString());
        Assert.Equal(Key, Assert.Single(_registrations).PreAuthKey);
        await Eventually.True(() => !_reports.IsEmpty, "endpoints are reported");
        Assert.Equal(51820u, _reports.First().ListenPort);
        var status = _runtime.Status();
        Assert.Equal("up", status.Self.State);
        Assert.True(status.Coordinator.Connected);
        Assert.Equal(["peer-1", "peer-2"], status.Peers.Select(peer => peer.Name).ToArray());
        Assert.All(Directory.GetFiles(_directory.Path).Where(file => !file.EndsWith("lock", StringComparison.Ordinal)), file => Assert.DoesNotContain(Key, File.ReadAllText(file), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_daemon_that_starts_while_the_coordinator_is_away_brings_the_tunnel_up_with_the_last_map()
    {
        await _coordinator.StartAsync();
        _map = context => ServeAsync(context, Snapshot(1, 1, 2));
        await UpAsync(_coordinator.Link(Key).Reveal());
        await RestartAsync(() => _coordinator.StopAsync());
        Assert.False(_tunnel.IsUp);
        _runtime.Resume();
        Assert.True(_tunnel.IsUp);
        Assert.Equal(2, _tunnel.Peers.Count);
        Assert.True(MaySend(1) && MaySend(2));
        await Eventually.True(() => _runtime.Status().Coordinator.Error is not null, "the missing coordinator is shown");
        Assert.False(_runtime.Status().Coordinator.Connected);
        Assert.Equal(1UL, _runtime.Status().Coordinator.Position);
    }

    [Fact]
    public async Task A_restarted_daemon_resumes_with_its_token_and_the_head_it_remembers()
    {
        await _coordinator.StartAsync();
        _map = context => ServeAsync(context, Snapshot(5, 1));
        await UpAsync(_coordinator.Link(Key).Reveal());
        await RestartAsync(() => Task.CompletedTask);
        _polls.Clear();
        _runtime.Resume();
        await Eventually.True(() => !_polls.IsEmpty, "a poll after the restart");
        Assert.True(_polls.TryPeek(out var poll));
        Assert.Equal("token-5", poll.ResumeToken.ToStringUtf8());
        Assert.Equal(_coordinator.Head(5).Hash, poll.KnownHead.Hash);
    }

    [Fact]
    public async Task After_down_a_restart_stays_down_and_up_without_a_link_brings_it_back()
    {
        await _coordinator.StartAsync();
        _map = context => ServeAsync(context, Snapshot(1, 1));
        await UpAsync(_coordinator.Link(Key).Reveal());
        await _runtime.DownAsync(default);
        Assert.False(_tunnel.IsUp);
        Assert.Equal("down", _runtime.Status().Self.State);
        await RestartAsync(() => Task.CompletedTask);
        _runtime.Resume();
        Assert.False(_tunnel.IsUp);
        await UpAsync(null);
        Assert.True(_tunnel.IsUp);
        Assert.Single(_registrations);
    }

    [Theory]
    [InlineData(ProblemType.KeyExpired, "expired")]
    [InlineData(ProblemType.KeyUsed, "used already")]
    [InlineData(ProblemType.KeyRevoked, "revoked")]
    [InlineData(ProblemType.UnknownNetwork, "no network")]
    public async Task A_refused_link_is_explained_and_leaves_nothing_behind(string problem, string words)
    {
        await _coordinator.StartAsync();
        _refusal = problem;
        var error = await Assert.ThrowsAsync<UserException>(() => UpAsync(_coordinator.Link(Key).Reveal()));
        Assert.Equal(ExitCode.Refused, error.Code);
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.NotNull(error.Next);
        Assert.False(_tunnel.IsUp);
        Assert.Equal("none", _runtime.Status().Self.State);
        Assert.Null(JoinInfo.Load(_state));
    }

    [Fact]
    public async Task A_refused_link_leaves_a_member_as_it_was()
    {
        await _coordinator.StartAsync();
        _map = context => ServeAsync(context, Snapshot(1, 1));
        await UpAsync(_coordinator.Link(Key).Reveal());
        _refusal = ProblemType.KeyExpired;
        await Assert.ThrowsAsync<UserException>(() => UpAsync(_coordinator.Link(Key).Reveal()));
        Assert.True(_tunnel.IsUp);
        await Eventually.True(() => _runtime.Status().Coordinator.Connected, "the session goes on");
    }

    [Fact]
    public async Task A_delta_that_does_not_fit_leaves_the_tunnel_and_asks_for_a_snapshot()
    {
        await _coordinator.StartAsync();
        int polls = 0;
        _map = async context =>
        {
            if (Interlocked.Increment(ref polls) > 1)
            {
                await ServeAsync(context, Snapshot(3, 1, 2, 3));
                return;
            }
            await TestCoordinator.WriteFrameAsync(context, new MapFrame { Snapshot = Snapshot(1, 1, 2) });
            await TestCoordinator.WriteFrameAsync(context, new MapFrame
            {
                Delta = new Delta { ResumeToken = Token(2), Head = _coordinator.Head(2), Upserts = { MapSamples.Peer(4) }, Removals = { 99 } },
            });
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        };
        await UpAsync(_coordinator.Link(Key).Reveal());
        await Eventually.True(() => _tunnel.Peers.Count == 3, "the snapshot that follows is applied");
        Assert.DoesNotContain(_tunnel.Peers, peer => peer.Id == 4);
        Assert.True(_polls.Count >= 2);
        Assert.True(_polls.ElementAt(1).ResumeToken.IsEmpty);
    }

    [Fact]
    public async Task A_head_that_the_root_does_not_vouch_for_is_not_applied()
    {
        await _coordinator.StartAsync();
        var forged = Snapshot(1, 1);
        forged.Head.Position = 2;
        _map = context => ServeAsync(context, forged);
        using var enough = new CancellationTokenSource();
        var up = _runtime.UpAsync(new UpRequest(_coordinator.Link(Key).Reveal(), null, null, null), enough.Token);
        await Eventually.True(() => _runtime.Status().Coordinator.Error?.Contains("Head", StringComparison.Ordinal) == true, "the refusal is shown");
        Assert.Empty(_tunnel.Peers);
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => up);
    }

    [Fact]
    public async Task Two_histories_at_one_position_are_reported_with_both_heads_and_shown()
    {
        await _coordinator.StartAsync();
        var other = Snapshot(7, 1);
        other.Head = _coordinator.Head(7, salt: 1);
        other.Reset = true;
        _map = async context =>
        {
            await TestCoordinator.WriteFrameAsync(context, new MapFrame { Snapshot = Snapshot(7, 1) });
            await ServeAsync(context, other);
        };
        await UpAsync(_coordinator.Link(Key).Reveal());
        await Eventually.True(() => _reports.Any(report => report.Fork is not null), "the fork is reported");
        var fork = _reports.First(report => report.Fork is not null).Fork;
        Assert.Equal((_coordinator.Head(7).Hash, other.Head.Hash), (fork.Remembered.Hash, fork.Received.Hash));
        await Eventually.True(
            () => _runtime.Status().Self.Warnings.Any(warning => warning.Contains("log has forked", StringComparison.Ordinal)), "the fork is shown");
    }

    [Fact]
    public async Task A_node_that_is_removed_takes_its_tunnel_down_and_says_so()
    {
        await _coordinator.StartAsync();
        _map = async context =>
        {
            await TestCoordinator.WriteFrameAsync(context, new MapFrame { Snapshot = Snapshot(1, 1) });
            await TestCoordinator.WriteFrameAsync(context, new MapFrame { Notice = new Notice { Kind = NoticeKind.Removed } });
        };
        await UpAsync(_coordinator.Link(Key).Reveal());
        await Eventually.True(() => _runtime.Status().Self.State == "removed", "the removal is shown");
        await Eventually.True(() => !_tunnel.IsUp, "the tunnel is down");
        await Eventually.True(() => !File.Exists(_directory.File("map.bin")), "the map is gone from the disk");
    }

    [Fact]
    public async Task A_pending_machine_shows_its_code_and_goes_on_by_itself_once_it_is_let_in()
    {
        await _coordinator.StartAsync();
        _map = context => ServeAsync(context, Snapshot(1, 1));
        var registered = _registered;
        _registered = () => new RegisterResponse { Status = RegistrationStatus.Pending, NodeId = MapSamples.SelfId, ApprovalCode = "ABCD-1234" };
        var up = await UpAsync(_coordinator.Link().Reveal());
        Assert.Equal("ABCD-1234", up.ApprovalCode);
        Assert.Equal("pending", _runtime.Status().Self.State);
        _registered = registered;
        await Eventually.True(() => _runtime.Status().Self.State == "up" && _tunnel.IsUp, "the machine is in");
    }

    [Fact]
    public async Task Logout_forgets_the_network_and_the_node_key_and_keeps_the_machine()
    {
        await _coordinator.StartAsync();
        _map = context => ServeAsync(context, Snapshot(1, 1));
        await UpAsync(_coordinator.Link(Key).Reveal());
        string before = _runtime.Status().Self.NodeKey!;
        byte[] machine = File.ReadAllBytes(_directory.File("machine.key"));
        await _runtime.LogoutAsync(force: false, default);
        Assert.Contains(NodeApi.Logout, _coordinator.Requests);
        Assert.Equal("none", _runtime.Status().Self.State);
        Assert.False(_tunnel.IsUp);
        Assert.NotEqual(before, _runtime.Status().Self.NodeKey);
        Assert.Equal(machine, File.ReadAllBytes(_directory.File("machine.key")));
        Assert.False(File.Exists(_directory.File("join.json")) || File.Exists(_directory.File("map.bin")));
    }

    [Fact]
    public async Task Logout_without_the_coordinator_asks_for_force()
    {
        await _coordinator.StartAsync();
        _map = context => ServeAsync(context, Snapshot(1, 1));
        await UpAsync(_coordinator.Link(Key).Reveal());
        await _coordinator.StopAsync();
        var error = await Assert.ThrowsAsync<UserException>(() => _runtime.LogoutAsync(force: false, default));
        Assert.Equal(ExitCode.CoordinatorUnreachable, error.Code);
        Assert.Contains("--force", error.Next, StringComparison.Ordinal);
        Assert.True(_tunnel.IsUp);
        await _runtime.LogoutAsync(force: true, default);
        Assert.Equal("none", _runtime.Status().Self.State);
    }

    [Fact]
    public async Task A_second_network_is_refused_while_one_is_joined()
    {
        await _coordinator.StartAsync();
        _map = context => ServeAsync(context, Snapshot(1, 1));
        await UpAsync(_coordinator.Link(Key).Reveal());
        var other = _coordinator.Link(Key) with { Network = "other" };
        var error = await Assert.ThrowsAsync<UserException>(() => UpAsync(other.Reveal()));
        Assert.Contains("mesh logout", error.Next, StringComparison.Ordinal);
        Assert.True(_tunnel.IsUp);
    }

    [Fact]
    public async Task An_expired_peer_is_left_out_though_the_coordinator_still_lists_it()
    {
        await _coordinator.StartAsync();
        var snapshot = Snapshot(1, 1, 2);
        snapshot.Peers[0].ExpiresAtMs = DateTimeOffset.UtcNow.AddMinutes(-1).ToUnixTimeMilliseconds();
        _map = context => ServeAsync(context, snapshot);
        await UpAsync(_coordinator.Link(Key).Reveal());
        Assert.Equal(2UL, Assert.Single(_tunnel.Peers).Id);
        Assert.Contains("authorisation has ended", _runtime.Status().Peers[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rights_are_enforced_before_the_rest_of_a_map_is_applied_and_though_it_can_not_be()
    {
        await _coordinator.StartAsync();
        var next = new TaskCompletionSource();
        _map = async context =>
        {
            await TestCoordinator.WriteFrameAsync(context, new MapFrame { Snapshot = Snapshot(1, 1, 2) });
            await next.Task;
            await TestCoordinator.WriteFrameAsync(context, new MapFrame
            {
                Delta = new Delta { ResumeToken = Token(2), Head = _coordinator.Head(2), Filter = new PacketFilter() },
            });
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        };
        await UpAsync(_coordinator.Link(Key).Reveal());
        Assert.Equal(["BringUp", "Enforce", "BringUp", "SetPeers"], _tunnel.Calls); // registered, then the map
        Assert.True(MaySend(1));
        _tunnel.BringUpFails = true;
        next.SetResult();
        await Eventually.True(() => !MaySend(1), "the right is gone");
        Assert.Equal("Enforce", _tunnel.Calls[^2]);
    }

    [Fact]
    public async Task Down_lets_nothing_in_and_up_lets_in_what_the_map_says()
    {
        await _coordinator.StartAsync();
        _map = context => ServeAsync(context, Snapshot(1, 1));
        await UpAsync(_coordinator.Link(Key).Reveal());
        await _runtime.DownAsync(default);
        Assert.Null(_tunnel.View.Find(1));
        await UpAsync(null);
        Assert.True(MaySend(1));
    }

    [Fact]
    public async Task Why_says_what_this_nodes_map_and_filter_make_of_a_connection()
    {
        await _coordinator.StartAsync();
        var snapshot = Snapshot(1, 1, 2, 3, 4);
        snapshot.Peers[1].Kind = PeerKind.Wireguard;
        snapshot.Peers[2].ExpiresAtMs = 1;
        snapshot.Peers[3].ClassId = 9;
        snapshot.Filter = new PacketFilter
        {
            Ingress = { new FilterRule { Classes = { 5 } }, new FilterRule { Classes = { 1 }, Ports = { new PortRange { First = 22, Last = 22 } } } },
            Egress = { new FilterRule { Classes = { 1 }, Protocols = { 17 } } },
        };
        _map = context => ServeAsync(context, snapshot);
        await UpAsync(_coordinator.Link(Key).Reveal());
        var why = _runtime.Why(new WhyRequest("peer-1", 22, 6));
        Assert.Equal(("peer-1", "100.64.1.1", "peer decides", "allowed"), (why.Host, why.Address, why.Outbound.Verdict, why.Inbound.Verdict));
        Assert.Contains("incoming rule 2", why.Inbound.Reason, StringComparison.Ordinal);
        Assert.Equal("denied", _runtime.Why(new WhyRequest("100.64.1.1", 23, 6)).Inbound.Verdict);
        Assert.Equal("denied", _runtime.Why(new WhyRequest("peer-2", 22, 6)).Outbound.Verdict);
        Assert.Contains("outgoing rule 1", _runtime.Why(new WhyRequest("PEER-2", 53, 17)).Outbound.Reason, StringComparison.Ordinal);
        Assert.Contains("authorisation has ended", _runtime.Why(new WhyRequest("peer-3", 22, 6)).Inbound.Reason, StringComparison.Ordinal);
        Assert.Contains("class 0000000000000009", _runtime.Why(new WhyRequest("peer-4", 22, 6)).Inbound.Reason, StringComparison.Ordinal);
        Assert.Equal(ExitCode.UnknownPeer, Assert.Throws<UserException>(() => _runtime.Why(new WhyRequest("nobody", 22, 6))).Code);
        Assert.Contains("this machine", Assert.Throws<UserException>(() => _runtime.Why(new WhyRequest("self", 22, 6))).Message, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, Assert.Throws<UserException>(() => _runtime.Why(new WhyRequest("peer-1", 22, 256))).Code);
        await _runtime.DownAsync(default);
        Assert.Equal(ExitCode.NotUp, Assert.Throws<UserException>(() => _runtime.Why(new WhyRequest("peer-1", 22, 6))).Code);
    }

    [Theory]
    [InlineData("mesh://nonsense", ExitCode.Usage)]
    [InlineData(null, ExitCode.NotUp)]
    public async Task An_up_that_makes_no_sense_is_explained(string? link, ExitCode code)
    {
        Assert.Equal(code, (await Assert.ThrowsAsync<UserException>(() => UpAsync(link))).Code);
    }

    private bool MaySend(byte peer) => _tunnel.View.Find(peer) is { } rights && rights.MaySend(
        IpAddressBits.From(new IPAddress([100, 64, 1, peer])), IpAddressBits.From(new IPAddress([100, 64, 1, 250])), toOwn: true, 6, 22);

    private static ByteString Token(ulong position) => ByteString.CopyFromUtf8($"token-{position}");

    private Snapshot Snapshot(ulong position, params byte[] peers)
    {
        var snapshot = MapSamples.Snapshot(peers);
        snapshot.Head = _coordinator.Head(position);
        snapshot.ResumeToken = Token(position);
        snapshot.Self.NodeKey = ByteString.FromBase64(_runtime.Status().Self.NodeKey);
        return snapshot;
    }

    private static async Task ServeAsync(HttpContext context, Snapshot snapshot)
    {
        await TestCoordinator.WriteFrameAsync(context, new MapFrame { Snapshot = snapshot });
        await Task.Delay(Timeout.Infinite, context.RequestAborted);
    }

    private async Task HandleAsync(HttpContext context, byte[] body)
    {
        switch (context.Request.Path)
        {
            case NodeApi.Challenge:
                using (var key = Mesh.Crypto.X25519PrivateKey.Generate())
                    await TestCoordinator.AnswerAsync(context, new ChallengeResponse
                    {
                        ChallengeId = ByteString.CopyFrom(new byte[16]),
                        ChallengeKey = ByteString.CopyFrom(key.PublicKey.ToArray()),
                        Nonce = ByteString.CopyFrom(new byte[32]),
                        NetworkId = ByteString.CopyFrom(_coordinator.NetworkId),
                        ServerTimeMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
                    });
                break;
            case NodeApi.Register when _refusal is not null:
                await TestCoordinator.RefuseAsync(context, 403, _refusal);
                break;
            case NodeApi.Register:
                _registrations.Enqueue(RegisterRequest.Parser.ParseFrom(body));
                await TestCoordinator.AnswerAsync(context, _registered());
                break;
            case NodeApi.Map:
                _polls.Enqueue(MapRequest.Parser.ParseFrom(body));
                await _map(context);
                break;
            case NodeApi.Report:
                _reports.Enqueue(ReportRequest.Parser.ParseFrom(body));
                await TestCoordinator.AnswerAsync(context, new ReportResponse());
                break;
            case NodeApi.Logout:
                await TestCoordinator.AnswerAsync(context, new LogoutResponse());
                break;
        }
    }

    private Task<UpAnswer> UpAsync(string? link) => _runtime.UpAsync(new UpRequest(link, "self", null, null), default);

    private NodeRuntime NewRuntime() => new(new RuntimeParts(
        _state, _tunnel, () => [IPAddress.Parse("10.9.9.9")], TimeProvider.System, () => 0, NullLoggerFactory.Instance));

    private async Task RestartAsync(Func<Task> between)
    {
        await _runtime.DisposeAsync();
        _tunnel.TakeDown();
        _state.Dispose();
        await between();
        _state = StateDirectory.Open(_directory.Path);
        _runtime = NewRuntime();
    }
}
