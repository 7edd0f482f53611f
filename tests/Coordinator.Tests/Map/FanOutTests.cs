using System.Diagnostics;
using System.IO.Pipelines;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Presence;
using Mesh.Crypto;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Coordinator.Tests.Map;

/// <summary>
/// Many polls on one hub, without TLS: what a change costs, and whom it reaches. MESH_FANOUT_POLLS (100 by default) sets the
/// number, and the times are written to the test's output.
/// </summary>
public sealed class FanOutTests : IAsyncLifetime
{
    private static readonly int Polls = int.TryParse(Environment.GetEnvironmentVariable("MESH_FANOUT_POLLS"), out int n) ? n : 100;
    private readonly TemporaryDirectory _directory = new();
    private readonly CoordinatorMetrics _metrics = new();
    private readonly List<(PollSession Session, CountingWriter Writer, Task Running)> _polls = [];
    private StateDirectory _state = null!;
    private Mesh.Coordinator.Trust.CoordinatorKeys _keys = null!;
    private NetworkRuntime _runtime = null!;
    private MapHub _hub = null!;
    private string _key = "";

    public async ValueTask InitializeAsync()
    {
        _state = StateDirectory.Open(_directory);
        _keys = Mesh.Coordinator.Trust.CoordinatorKeys.Open(_state, TimeProvider.System);
        var networks = new NetworkDirectory(_state.Networks, _keys.Log, TimeProvider.System, NullLogger.Instance);
        await networks.CreateAsync("default", AddressPlan.New(), Actor.System, IdempotencyKey.None);
        _runtime = await networks.OpenAsync("default");
        _hub = new MapHub(_runtime, new byte[32], TimeProvider.System, _metrics, NullLogger.Instance);
        _key = (await _runtime.ExecuteAsync(new CreatePreAuthKey { Reusable = true }, Actor.System, IdempotencyKey.None)).Text!;
        await Task.WhenAll(Enumerable.Range(1, Polls).Select(RegisterAsync));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (session, _, _) in _polls) session.Aborted();
        await Task.WhenAll(_polls.Select(poll => poll.Running));
        _hub.Dispose();
        await _runtime.DisposeAsync();
        _keys.Dispose();
        _state.Dispose();
        _metrics.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_join_reaches_every_poll_that_sees_it_in_a_small_frame()
    {
        await _runtime.ExecuteAsync(new SetPolicy(PolicyPreset.AllowAll), Actor.System, IdempotencyKey.None);
        await OpenAllAsync();
        long framesBefore = _polls.Sum(p => p.Writer.Flushes), bytesBefore = _polls.Sum(p => p.Writer.Bytes);
        var watch = Stopwatch.StartNew();
        await RegisterAsync(1_000_000);
        await UntilAsync(() => _polls.All(p => p.Session.SentPosition == _runtime.State.Position));
        Say($"a join reached {Polls} polls in {watch.Elapsed.TotalMilliseconds:F1} ms");
        Assert.Equal(Polls, _polls.Sum(p => p.Writer.Flushes) - framesBefore);
        Assert.InRange((_polls.Sum(p => p.Writer.Bytes) - bytesBefore) / Polls, 200, 1100);
    }

    [Fact]
    public async Task Where_the_policy_shows_nobody_a_join_wakes_no_poll()
    {
        foreach (ulong id in _runtime.State.Nodes.Keys) Open(id);
        await UntilAsync(() => _polls.All(p => p.Session.SentPosition > 0));
        long before = _polls.Sum(p => p.Writer.Flushes);
        await RegisterAsync(1_000_000);
        await RegisterAsync(1_000_001);
        // The hub's worker has run once a poll that does see the change has heard of it: the joined node's own.
        var (session, writer, _) = Open(_runtime.State.NextNodeId - 1);
        await _runtime.ExecuteAsync(new RotateNodeKey(session.NodeId, KeyOf(2_000_000)), Actor.System, IdempotencyKey.None);
        await UntilAsync(() => writer.Flushes == 2);
        Assert.Equal(before, _polls.Where(p => p.Session != session).Sum(p => p.Writer.Flushes));
        Assert.All(_polls.Where(p => p.Session != session), p => Assert.True(p.Session.SentPosition < _runtime.State.Position));
    }

    private async Task OpenAllAsync()
    {
        var watch = Stopwatch.StartNew();
        foreach (ulong id in _runtime.State.Nodes.Keys) Open(id);
        await UntilAsync(() => _polls.All(p => p.Session.IsCurrent));
        Say($"{Polls} polls opened and told of each other in {watch.Elapsed.TotalMilliseconds:F0} ms, {_polls.Sum(p => p.Writer.Bytes) / 1e6:F1} MB");
    }

    private (PollSession Session, CountingWriter Writer, Task Running) Open(ulong nodeId)
    {
        var writer = new CountingWriter();
        var presence = _runtime.Presence.Connect(nodeId, new byte[16]);
        var session = new PollSession(_hub, presence, TestMachine.Local("192.0.2.1:1"), writer, () => { });
        _hub.Open(session);
        var poll = (session, writer, Task.Run(() => session.RunAsync(null, reset: false)));
        _polls.Add(poll);
        return poll;
    }

    private async Task RegisterAsync(int number) => await _runtime.ExecuteAsync(
        new RegisterNode { MachineKey = new MachineKey(BitConverter.GetBytes(number)), NodeKey = KeyOf(number), PreAuthKey = _key },
        Actor.System, IdempotencyKey.None);

    private static X25519PublicKey KeyOf(int number)
    {
        byte[] bytes = new byte[32];
        BitConverter.TryWriteBytes(bytes, number);
        return new X25519PublicKey(bytes);
    }

    private static void Say(string text) => TestContext.Current.TestOutputHelper?.WriteLine(text);

    private static async Task UntilAsync(Func<bool> condition)
    {
        var limit = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(limit.Elapsed < TimeSpan.FromSeconds(60), "never");
            await Task.Yield();
        }
    }

    /// <summary>A reader that takes everything at once, and counts.</summary>
    private sealed class CountingWriter : PipeWriter
    {
        private readonly byte[] _buffer = new byte[64 * 1024];
        private long _bytes;
        private long _flushes;

        public long Bytes => Interlocked.Read(ref _bytes);

        public long Flushes => Interlocked.Read(ref _flushes);

        public override void Advance(int bytes) => Interlocked.Add(ref _bytes, bytes);

        public override Memory<byte> GetMemory(int sizeHint = 0) => _buffer;

        public override Span<byte> GetSpan(int sizeHint = 0) => _buffer;

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref _flushes);
            return ValueTask.FromResult(default(FlushResult));
        }

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }
    }
}
