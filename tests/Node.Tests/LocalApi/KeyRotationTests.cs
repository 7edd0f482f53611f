using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Mesh.Crypto;
using Mesh.Node.Cli;
using Mesh.Node.Daemon;
using Mesh.Node.LocalApi;
using Mesh.Node.State;
using Mesh.Node.Tests.Control;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Node.Tests.LocalApi;

/// <summary>
/// A node that changes its key, beside a coordinator that keeps the two rules of /v1/rotate and can be cut off at any call, before
/// it has taken it or after. The tunnel is the only fake.
/// </summary>
public sealed class KeyRotationTests : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly TestCoordinator _coordinator = new();
    private readonly FakeTunnel _tunnel = new();
    private readonly Lock _gate = new();
    private readonly ConcurrentQueue<ReportRequest> _reports = new();
    private readonly TaskCompletionSource _cut = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private StateDirectory _state;
    private NodeRuntime _runtime;
    private ByteString _key = ByteString.Empty;
    private ByteString _previous = ByteString.Empty;
    private ulong _position = 1;
    private int _calls;
    private (int Call, bool After) _cutAt = (-1, false);
    private bool _keyWasOnDisk = true;
    private string? _refusal;
    private long _rotateAt;
    private long _selfExpires;
    private string? _mapRefusal;
    private readonly ConcurrentQueue<RegisterRequest> _registrations = new();

    public KeyRotationTests()
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
    public async Task A_key_is_on_disk_and_answered_before_it_is_announced_and_used_once_the_peers_know()
    {
        string before = await JoinAsync();
        string after = await _runtime.RotateAsync(default);
        Assert.NotEqual(before, after);
        Assert.True(_keyWasOnDisk);
        Assert.Equal([$"{before}+", $"{before}+{after}", $"{after}+{before}", $"{after}+"], _tunnel.Keys.ToArray());
        Assert.Equal((after, ""), (_key.ToBase64(), _previous.ToBase64()));
        Assert.Equal(after, KeyOnDisk("node.key"));
        Assert.False(File.Exists(_directory.File("node.key.next")));
        Assert.Equal(after, _runtime.Status().Self.NodeKey);
    }

    [Theory]
    [CombinatorialCuts]
    public async Task Whatever_is_cut_off_at_any_step_both_sides_end_with_one_key(int call, bool after, bool restart)
    {
        await JoinAsync();
        _calls = 0;
        _cutAt = (call, after);
        var rotating = _runtime.RotateAsync(default);
        await _cut.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        if (restart)
        {
            await _runtime.DisposeAsync();
            _state.Dispose();
            _state = StateDirectory.Open(_directory.Path);
            _runtime = NewRuntime();
            _runtime.Resume();
        }
        await Eventually.True(
            () =>
            {
                lock (_gate)
                {
                    string key = _key.ToBase64();
                    // A node that was stopped after it had taken the new key leaves the end of the old one to the coordinator.
                    return !File.Exists(_directory.File("node.key.next")) && KeyOnDisk("node.key") == key && _runtime.Status() is { Coordinator.Connected: true } status
                        && status.Self.NodeKey == key && (_previous.IsEmpty || restart) && _tunnel.Keys.Last() == $"{key}+";
                }
            },
            "one key on both sides");
        await ((Task)rotating).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    [Fact]
    public async Task A_new_key_that_the_coordinator_does_not_take_is_thrown_away_and_the_old_one_stays()
    {
        string before = await JoinAsync();
        _refusal = ProblemType.NodeKeyTaken;
        await Assert.ThrowsAsync<UserException>(() => _runtime.RotateAsync(default));
        Assert.Equal(before, KeyOnDisk("node.key"));
        Assert.False(File.Exists(_directory.File("node.key.next")));
        Assert.Equal($"{before}+", _tunnel.Keys.Last());
        _refusal = null;
        Assert.NotEqual(before, await _runtime.RotateAsync(default));
    }

    [Fact]
    public async Task A_key_whose_time_has_come_changes_by_itself()
    {
        string before = await JoinAsync();
        _rotateAt = DateTimeOffset.UtcNow.AddSeconds(-1).ToUnixTimeMilliseconds();
        PushMap();
        await Eventually.True(() =>
        {
            _runtime.Tick();
            return KeyOnDisk("node.key") != before && !File.Exists(_directory.File("node.key.next"));
        }, "the key changed");
    }

    [Fact]
    public async Task A_peers_key_in_change_is_acknowledged_once_it_is_applied_and_kept()
    {
        await JoinAsync();
        Assert.DoesNotContain(_reports, report => report.AppliedPosition != 0);
        _peerChanges = true;
        PushMap();
        await Eventually.True(() => _reports.Any(report => report.AppliedPosition == _position), "acknowledged");
        Assert.Equal(2, _tunnel.Peers.Single().Keys.Count);
        Assert.True(File.ReadAllBytes(_directory.File("map.bin")).AsSpan().IndexOf(PeerPrevious.Span) >= 0);
    }

    [Fact]
    public async Task An_authorisation_that_ends_takes_the_tunnel_down_to_the_moment_and_one_given_anew_brings_it_back()
    {
        await JoinAsync();
        _selfExpires = DateTimeOffset.UtcNow.AddMilliseconds(400).ToUnixTimeMilliseconds();
        PushMap();
        await Eventually.True(() => !_tunnel.IsUp, "down, without a word of the coordinator's");
        var status = _runtime.Status();
        Assert.Equal(("expired", "self"), (status.Self.State, status.Self.Name));
        _selfExpires = DateTimeOffset.UtcNow.AddDays(3).ToUnixTimeMilliseconds();
        PushMap();
        await Eventually.True(() => _tunnel.IsUp && _runtime.Status().Self.State == "up", "back");
        Assert.Contains("authorisation ends on", Assert.Single(_runtime.Status().Self.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_machine_that_was_expired_stays_down_over_a_restart_and_asks_for_approval_with_a_plain_up()
    {
        await JoinAsync();
        _mapRefusal = ProblemType.Expired;
        PushMap(end: true);
        await Eventually.True(() => _runtime.Status().Self.State == "expired" && !_tunnel.IsUp, "expired");
        Assert.False(File.Exists(_directory.File("map.bin")));
        await _runtime.DisposeAsync();
        _state.Dispose();
        _state = StateDirectory.Open(_directory.Path);
        _runtime = NewRuntime();
        _runtime.Resume();
        Assert.False(_tunnel.IsUp);
        await Eventually.True(() => _runtime.Status().Self.State == "expired", "still expired");
        int before = _registrations.Count;
        await _runtime.UpAsync(new UpRequest(null, null, null, null), default);
        Assert.Equal(before + 1, _registrations.Count);
        Assert.Equal("", _registrations.Last().PreAuthKey);
        await Eventually.True(() => _runtime.Status().Self.State == "up" && _tunnel.IsUp, "in again");
    }

    private bool _peerChanges;

    private static ByteString PeerPrevious { get; } = ByteString.CopyFrom(Enumerable.Repeat((byte)77, 32).ToArray());

    private NodeRuntime NewRuntime() => new(new RuntimeParts(
        _state, _tunnel, () => [IPAddress.Parse("10.9.9.9")], TimeProvider.System, () => 0, NullLoggerFactory.Instance));

    private string KeyOnDisk(string file)
    {
        using var key = new X25519PrivateKey(Convert.FromBase64String(File.ReadAllText(_directory.File(file)).Trim()));
        return key.PublicKey.ToString();
    }

    private async Task<string> JoinAsync()
    {
        await _coordinator.StartAsync();
        await _runtime.UpAsync(new UpRequest(_coordinator.Link("mkey_abc").Reveal(), "self", null, null), default);
        await Eventually.True(() => _runtime.Status().Coordinator.Connected, "connected");
        return _runtime.Status().Self.NodeKey!;
    }

    private void PushMap(bool end = false)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _position++;
            (changed, _changed) = (_changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            _endPolls = end;
        }
        changed.SetResult();
    }

    private bool _endPolls;

    private Snapshot Map()
    {
        lock (_gate)
        {
            var snapshot = MapSamples.Snapshot(1);
            snapshot.Head = _coordinator.Head(_position);
            snapshot.ResumeToken = ByteString.CopyFromUtf8($"token-{_position}");
            snapshot.Self.NodeKey = _key;
            snapshot.Self.RotateKeyAtMs = _rotateAt;
            snapshot.Self.ExpiresAtMs = _selfExpires;
            if (_peerChanges) snapshot.Peers[0].PreviousNodeKey = PeerPrevious;
            return snapshot;
        }
    }

    private async Task HandleAsync(HttpContext context, byte[] body)
    {
        bool counts = context.Request.Path == NodeApi.Rotate || (context.Request.Path == NodeApi.Challenge && _calls >= 0 && _cutAt.Call >= 0);
        int call = counts ? _calls++ : -1;
        if (counts && (call, false) == _cutAt)
        {
            _cut.TrySetResult();
            context.Abort();
            return;
        }
        bool cutAfter = counts && (call, true) == _cutAt;
        switch (context.Request.Path)
        {
            case NodeApi.Challenge:
                using (var key = X25519PrivateKey.Generate())
                    await AnswerAsync(context, cutAfter, new ChallengeResponse
                    {
                        ChallengeId = ByteString.CopyFrom(new byte[16]), ChallengeKey = ByteString.CopyFrom(key.PublicKey.ToArray()),
                        Nonce = ByteString.CopyFrom(new byte[32]), NetworkId = ByteString.CopyFrom(_coordinator.NetworkId),
                        ServerTimeMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
                    });
                break;
            case NodeApi.Register:
                var register = RegisterRequest.Parser.ParseFrom(body);
                _registrations.Enqueue(register);
                _mapRefusal = null; // Whoever registers is let in again.
                lock (_gate) _key = register.NodeKey.NodeKey;
                await TestCoordinator.AnswerAsync(context, new RegisterResponse
                {
                    Status = RegistrationStatus.Registered, NodeId = MapSamples.SelfId, Name = "self", Addresses = { MapSamples.Address(250) },
                });
                break;
            case NodeApi.Rotate when _refusal is not null:
                await TestCoordinator.RefuseAsync(context, 409, _refusal);
                break;
            case NodeApi.Rotate:
                await AnswerAsync(context, cutAfter, Rotate(RotateRequest.Parser.ParseFrom(body)));
                break;
            case NodeApi.Map when _mapRefusal is not null:
                await TestCoordinator.RefuseAsync(context, 403, _mapRefusal);
                break;
            case NodeApi.Map:
                while (!context.RequestAborted.IsCancellationRequested)
                {
                    Task changed;
                    lock (_gate) changed = _changed.Task;
                    await TestCoordinator.WriteFrameAsync(context, new MapFrame { Snapshot = Map() });
                    await changed.WaitAsync(context.RequestAborted);
                    if (_endPolls) return;
                }
                break;
            case NodeApi.Report:
                _reports.Enqueue(ReportRequest.Parser.ParseFrom(body));
                await TestCoordinator.AnswerAsync(context, new ReportResponse());
                break;
        }
    }

    private RotateResponse Rotate(RotateRequest request)
    {
        bool changed = false;
        lock (_gate)
        {
            if (request.NodeKey is { } proof && proof.NodeKey != _key)
            {
                _keyWasOnDisk &= KeyOnDisk("node.key.next") == proof.NodeKey.ToBase64();
                (_previous, _key, changed) = (_key, proof.NodeKey, true);
            }
            else if (request.RetirePrevious)
            {
                (_previous, changed) = (ByteString.Empty, true);
            }
        }
        if (changed) PushMap();
        lock (_gate)
        {
            return new RotateResponse
            {
                PreviousUntilMs = _previous.IsEmpty ? 0 : DateTimeOffset.UtcNow.AddMinutes(5).ToUnixTimeMilliseconds(), Acknowledged = true,
            };
        }
    }

    private async Task AnswerAsync(HttpContext context, bool cut, IMessage message)
    {
        if (!cut)
        {
            await TestCoordinator.AnswerAsync(context, message);
            return;
        }
        _cut.TrySetResult();
        context.Abort();
    }

    /// <summary>The calls of one change: challenge, announce, ask how it stands, retire.</summary>
    private sealed class CombinatorialCutsAttribute : Xunit.v3.DataAttribute
    {
        public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(System.Reflection.MethodInfo testMethod, Xunit.Sdk.DisposalTracker disposalTracker)
        {
            List<ITheoryDataRow> rows = [];
            for (int call = 0; call < 4; call++)
                foreach (bool after in (bool[])[false, true])
                    foreach (bool restart in (bool[])[false, true]) rows.Add(new TheoryDataRow<int, bool, bool>(call, after, restart));
            return new(rows);
        }

        public override bool SupportsDiscoveryEnumeration() => true;
    }
}
