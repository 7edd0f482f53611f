using System.Collections.Concurrent;
using Google.Protobuf;
using Mesh.Crypto;
using Mesh.Node.Control;
using Mesh.Node.State;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Node.Tests.Control;

/// <summary>A session over real TLS whose clock only the test moves, and whose dice always fall on one.</summary>
public sealed class ControlSessionTests : IAsyncDisposable
{
    // Real certificates meet this clock: it stands still, but at today.
    private readonly ManualTime _time = new(DateTimeOffset.UtcNow);
    private readonly TestCoordinator _coordinator = new();
    private readonly MachineIdentity _machine = MachineIdentity.CreateUnsaved();
    private readonly X25519PrivateKey _nodeKey = X25519PrivateKey.Generate();
    private readonly Recorder _events = new();
    private readonly CancellationTokenSource _stop = new();
    private ControlClient? _client;
    private Task _run = Task.CompletedTask;
    private int _polls;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _client?.Dispose();
        await _coordinator.DisposeAsync();
        _machine.Dispose();
        _nodeKey.Dispose();
        _stop.Dispose();
    }

    [Fact]
    public async Task Polls_that_fail_are_tried_again_after_a_wait_that_doubles()
    {
        await StartAsync(_ => Task.CompletedTask);
        foreach (double seconds in (double[])[0.5, 1, 2, 4])
        {
            await WaitsForAsync(TimeSpan.FromSeconds(seconds));
            _time.Advance(TimeSpan.FromSeconds(seconds));
        }
        await Eventually.True(() => _polls == 5, "a fifth poll");
    }

    [Fact]
    public async Task A_frame_that_is_applied_starts_the_waits_over()
    {
        await StartAsync(context => _polls < 3 ? Task.CompletedTask : TestCoordinator.WriteFrameAsync(context, Snapshot()));
        await WaitsForAsync(TimeSpan.FromSeconds(0.5));
        _time.Advance(TimeSpan.FromSeconds(0.5));
        await WaitsForAsync(TimeSpan.FromSeconds(1));
        _time.Advance(TimeSpan.FromSeconds(1));
        await WaitsForAsync(TimeSpan.FromSeconds(0.5));
        Assert.Single(_events.Maps);
    }

    [Fact]
    public async Task A_poll_that_falls_silent_is_given_up_after_75_seconds_and_opened_again()
    {
        await StartAsync(async context =>
        {
            await TestCoordinator.WriteFrameAsync(context, Snapshot());
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        await Eventually.True(() => _events.Status?.Phase == ControlPhase.Connected, "connected");
        await WaitsForAsync(ControlLimits.PollSilence);
        _time.Advance(ControlLimits.PollSilence);
        await Eventually.True(() => _events.Status!.LastError?.Contains("silent", StringComparison.Ordinal) == true, "given up");
        await WaitsForAsync(TimeSpan.FromSeconds(0.5));
        _time.Advance(TimeSpan.FromSeconds(0.5));
        await Eventually.True(() => _polls == 2, "opened again");
    }

    [Fact]
    public async Task A_session_that_another_copy_took_over_comes_back_only_after_a_minute_and_says_why()
    {
        await StartAsync(async context =>
        {
            await TestCoordinator.WriteFrameAsync(context, Snapshot());
            await TestCoordinator.WriteFrameAsync(context, new MapFrame { Notice = new Notice { Kind = NoticeKind.DuplicateSession } });
        });
        await WaitsForAsync(TimeSpan.FromSeconds(60.5));
        Assert.True(_events.Status!.Warnings.HasFlag(ControlWarnings.CopiedState));
    }

    [Fact]
    public async Task A_session_that_took_over_from_a_copy_is_told_too_and_goes_on()
    {
        await StartAsync(async context =>
        {
            await TestCoordinator.WriteFrameAsync(context, Snapshot());
            await TestCoordinator.WriteFrameAsync(context, new MapFrame { Notice = new Notice { Kind = NoticeKind.DuplicateSession } });
            await TestCoordinator.WriteFrameAsync(context, Snapshot());
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        await Eventually.True(() => _events.Maps.Count == 2, "the frame behind the notice");
        Assert.Equal((ControlPhase.Connected, ControlWarnings.CopiedState), (_events.Status!.Phase, _events.Status.Warnings));
        Assert.Equal(1, _polls);
    }

    [Fact]
    public async Task A_session_that_hears_of_no_copy_for_three_minutes_takes_the_warning_back()
    {
        using var next = new SemaphoreSlim(0);
        await StartAsync(async context =>
        {
            await TestCoordinator.WriteFrameAsync(context, Snapshot());
            await TestCoordinator.WriteFrameAsync(context, new MapFrame { Notice = new Notice { Kind = NoticeKind.DuplicateSession } });
            while (true)
            {
                await next.WaitAsync(context.RequestAborted);
                await TestCoordinator.WriteFrameAsync(context, Snapshot());
            }
        });
        await Eventually.True(() => _events.Status?.Warnings == ControlWarnings.CopiedState, "told");
        foreach ((int maps, ControlWarnings warnings) in ((int, ControlWarnings)[])[(2, ControlWarnings.CopiedState), (3, ControlWarnings.CopiedState), (4, ControlWarnings.None)])
        {
            _time.Advance(TimeSpan.FromSeconds(61));
            next.Release();
            await Eventually.True(() => _events.Maps.Count == maps, "another frame");
            await Eventually.True(() => _events.Status!.Warnings == warnings, "warned as it stands");
        }
    }

    [Fact]
    public async Task A_refused_member_stops_trying()
    {
        await StartAsync(context => TestCoordinator.RefuseAsync(context, 403, ProblemType.NotRegistered));
        await _run;
        Assert.True(_events.WasRemoved);
        Assert.Equal(ControlPhase.Removed, _events.Status!.Phase);
        Assert.Equal(1, _polls);
    }

    [Fact]
    public async Task Clocks_that_are_far_apart_are_warned_of_until_they_are_not()
    {
        long skew = (long)TimeSpan.FromHours(2).TotalMilliseconds;
        var more = new TaskCompletionSource();
        await StartAsync(async context =>
        {
            var snapshot = Snapshot();
            snapshot.Snapshot.ServerTimeMs = _time.GetUtcNow().ToUnixTimeMilliseconds() + skew;
            await TestCoordinator.WriteFrameAsync(context, snapshot);
            await more.Task;
            await TestCoordinator.WriteFrameAsync(context,
                new MapFrame { KeepAlive = new KeepAlive { ServerTimeMs = _time.GetUtcNow().ToUnixTimeMilliseconds() } });
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        await Eventually.True(() => _events.Status?.Warnings == ControlWarnings.ClockApart, "the warning");
        more.SetResult();
        await Eventually.True(() => _events.Status!.Warnings == ControlWarnings.None, "the all-clear");
    }

    private MapFrame Snapshot()
    {
        var snapshot = MapSamples.Snapshot(1);
        snapshot.Head = _coordinator.Head(1);
        snapshot.Self.NodeKey = ByteString.CopyFrom(_nodeKey.PublicKey.ToArray());
        return new MapFrame { Snapshot = snapshot };
    }

    private async Task StartAsync(Func<HttpContext, Task> map)
    {
        _coordinator.Handler = async (context, _) =>
        {
            Interlocked.Increment(ref _polls);
            context.Response.ContentType = NodeApi.FramesContentType;
            await map(context);
        };
        await _coordinator.StartAsync();
        _client = new ControlClient(_coordinator.Link(), _machine, _time);
        var join = new JoinInfo("127.0.0.1", _coordinator.Port, _coordinator.Pin, "default", _coordinator.NetworkId, MapSamples.SelfId, "self", [], 1280, true);
        var session = new ControlSession(
            _client, _machine, new NodeKeys(_nodeKey), join, null, ControlSession.NewBootId(), _events, _time, () => 1, NullLogger.Instance);
        _run = session.RunAsync(_stop.Token);
    }

    private Task WaitsForAsync(TimeSpan wait) =>
        Eventually.True(() => _time.Pending == 1 && _time.Nearest == wait, $"one timer, {wait.TotalSeconds} s ahead");

    private sealed class Recorder : IControlEvents
    {
        public ConcurrentQueue<PinPair> Pins { get; } = new();

        public void PinsChanged(PinPair pins) => Pins.Enqueue(pins);

        private volatile ControlStatus? _status;

        public ControlStatus? Status => _status;

        public ConcurrentQueue<NetworkMap> Maps { get; } = new();

        public bool WasRemoved { get; private set; }

        public void MapChanged(NetworkMap map, bool keep) => Maps.Enqueue(map);

        public void ReachAsked(Reach reach)
        {
        }

        public void Registered(Registration registration)
        {
        }

        public void Removed() => WasRemoved = true;

        public bool HasExpired { get; private set; }

        public void Expired() => HasExpired = true;

        public void StatusChanged(ControlStatus status) => _status = status;
    }
}
