using System.Collections.Concurrent;
using Google.Protobuf;
using Mesh.Crypto;
using Mesh.Node.Control;
using Mesh.Node.State;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Node.Tests.Control;

/// <summary>A coordinator whose root is followed by another, over real TLS.</summary>
public sealed class NextPinTests : IAsyncDisposable
{
    private readonly ManualTime _time = new(DateTimeOffset.UtcNow);
    private readonly TestCoordinator _before = new();
    private readonly TestCoordinator _after;
    private readonly MachineIdentity _machine = MachineIdentity.CreateUnsaved();
    private readonly X25519PrivateKey _nodeKey = X25519PrivateKey.Generate();
    private readonly Pins _events = new();
    private readonly CancellationTokenSource _stop = new();
    private ControlClient? _client;
    private Task _run = Task.CompletedTask;

    public NextPinTests() => _after = new TestCoordinator { NetworkId = _before.NetworkId };

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _client?.Dispose();
        await _before.DisposeAsync();
        await _after.DisposeAsync();
        _machine.Dispose();
        _nodeKey.Dispose();
        _stop.Dispose();
    }

    /// <summary>
    /// Lets the client's clock run a hundred times as fast as ours: fast enough for its backoff, slow enough that real handshakes
    /// are done before its time-outs, and before the day that a certificate lives is over.
    /// </summary>
    private async Task WhileTimePassesAsync(Func<bool> condition, string what)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        for (int steps = 0; !condition(); steps++)
        {
            Assert.True(steps < 1200, $"still not true after a minute: {what}");
            await pace.WaitForNextTickAsync();
            _time.Advance(TimeSpan.FromSeconds(5));
        }
    }

    [Fact]
    public async Task A_next_pin_signed_by_the_root_is_kept_and_trusted_alone_once_it_is_met()
    {
        await StartAsync(_before.Next(_after.Pin));
        await Eventually.True(() => _events.Seen.Count == 1, "the next pin");
        Assert.Equal((Convert.ToHexString(_before.Pin), Convert.ToHexString(_after.Pin)), Text(_events.Seen.Last()));

        int port = _before.Port;
        await _before.StopAsync();
        _after.Handler = (context, _) => FollowAsync(context, _after, null);
        await _after.StartAsync(port);
        await WhileTimePassesAsync(() => _events.Seen.Count == 2, "the other root");
        Assert.Equal((Convert.ToHexString(_after.Pin), ""), Text(_events.Seen.Last()));
        Assert.Contains(_machine.Certificate.RawData, _after.Shown);

        // The root before is a stranger from now on.
        await _after.StopAsync();
        int shown = _before.Shown.Count(certificate => certificate is not null);
        await _before.StartAsync(port);
        await WhileTimePassesAsync(() => _before.Shown.Any(certificate => certificate is null), "a handshake that ends");
        Assert.Equal(shown, _before.Shown.Count(certificate => certificate is not null));
        Assert.Equal(2, _events.Seen.Count);
    }

    [Fact]
    public async Task A_next_pin_that_the_root_did_not_sign_is_refused_and_forgotten()
    {
        await StartAsync(_after.Next(_after.Pin));
        await Eventually.True(() => _events.Status?.LastError?.Contains("NextRoot", StringComparison.Ordinal) == true, "a frame refused");
        Assert.Empty(_events.Seen);
        Assert.Equal((Convert.ToHexString(_before.Pin), ""), Text(_client!.Pins));
    }

    [Fact]
    public void A_next_pin_outlives_a_restart()
    {
        using var directory = new TemporaryDirectory();
        using var state = StateDirectory.Open(directory.Path);
        var join = new JoinInfo("127.0.0.1", 1, _before.Pin, "default", _before.NetworkId, 7, "self", [], 1280, true) { NextPin = _after.Pin };
        join.Save(state);
        Assert.Equal(_after.Pin, JoinInfo.Load(state)!.NextPin.ToArray());
        (join with { NextPin = default }).Save(state);
        Assert.True(JoinInfo.Load(state)!.NextPin.IsEmpty);
    }

    private async Task StartAsync(NextRoot next)
    {
        _before.Handler = (context, _) => FollowAsync(context, _before, next);
        await _before.StartAsync();
        _client = new ControlClient(_before.Link(), _machine, _time);
        var join = new JoinInfo("127.0.0.1", _before.Port, _before.Pin, "default", _before.NetworkId, MapSamples.SelfId, "self", [], 1280, true);
        var session = new ControlSession(_client, _machine, new NodeKeys(_nodeKey), join, null, ControlSession.NewBootId(), _events, _time, () => 0, NullLogger.Instance);
        _run = session.RunAsync(_stop.Token);
    }

    private async Task FollowAsync(Microsoft.AspNetCore.Http.HttpContext context, TestCoordinator coordinator, NextRoot? next)
    {
        context.Response.ContentType = NodeApi.FramesContentType;
        var snapshot = MapSamples.Snapshot(1);
        snapshot.Head = coordinator.Head(1);
        snapshot.Self.NodeKey = ByteString.CopyFrom(_nodeKey.PublicKey.ToArray());
        snapshot.NextRoot = next;
        await TestCoordinator.WriteFrameAsync(context, new MapFrame { Snapshot = snapshot });
    }

    private static (string Present, string Next) Text(PinPair pins) => (Convert.ToHexString(pins.Present.Span), Convert.ToHexString(pins.Next.Span));

    private sealed class Pins : IControlEvents
    {
        private volatile ControlStatus? _status;

        public ConcurrentQueue<PinPair> Seen { get; } = new();

        public ControlStatus? Status => _status;

        public void MapChanged(NetworkMap map, bool keep)
        {
        }

        public void ReachAsked(Reach reach)
        {
        }

        public void Registered(Registration registration)
        {
        }

        public void Removed()
        {
        }

        public void Expired()
        {
        }

        public void PinsChanged(PinPair pins) => Seen.Enqueue(pins);

        public void StatusChanged(ControlStatus status) => _status = status;
    }
}
