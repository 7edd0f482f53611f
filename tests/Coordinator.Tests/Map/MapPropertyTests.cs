using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Security.Cryptography;
using Google.Protobuf;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Presence;
using Mesh.Crypto;
using Mesh.Protocol.Control;
using Endpoint = Mesh.Protocol.Control.Endpoint;

namespace Mesh.Coordinator.Tests.Map;

/// <summary>
/// After any sequence of changes, cuts and resumes, a node's map is the snapshot that a fresh node would get. The hub and its
/// sessions are the real ones, without TLS around them; the log is real, in a file.
/// </summary>
public sealed class MapPropertyTests : IAsyncLifetime
{
    /// <summary>Each sees other pairs, by tag, group, person, port and address.</summary>
    private static readonly string[] Policies =
    [
        NetworkPolicy.AllowAllText,
        NetworkPolicy.DenyAllText,
        """{"tagOwners": {"tag:web": ["alice@"], "tag:db": ["alice@"]}, "acls": [{"action": "accept", "src": ["tag:web"], "dst": ["tag:db:5432"]}]}""",
        """{"tagOwners": {"tag:web": ["alice@"], "tag:db": ["alice@"]}, "acls": [{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*", "tag:web:443"]}]}""",
        """{"groups": {"group:dev": ["alice@"]}, "acls": [{"action": "accept", "src": ["group:dev"], "dst": ["bob@:22"]}, {"action": "accept", "src": ["bob@"], "dst": ["autogroup:self:*"]}]}""",
        """{"hosts": {"first": "100.64.0.2"}, "grants": [{"src": ["first"], "dst": ["*"], "ip": ["udp:53"]}, {"src": ["alice@"], "dst": ["alice@"], "ip": ["icmp:*"]}]}""",
    ];

    private static readonly Endpoint Observed = TestMachine.Local("192.0.2.1:1");
    private readonly TemporaryDirectory _directory = new();
    private readonly ManualClock _clock = new();
    private readonly CoordinatorMetrics _metrics = new();
    private readonly StateDirectory _state;
    private readonly Mesh.Coordinator.Trust.CoordinatorKeys _keys;
    private readonly byte[] _tokenKey = RandomNumberGenerator.GetBytes(32);
    private readonly List<(MachineKey Machine, ulong Id)> _machines = [];
    private PresenceKeeper _presence = null!;
    private NetworkRuntime _runtime = null!;
    private MapHub _hub = null!;
    private int _nextKey;

    public MapPropertyTests()
    {
        _state = StateDirectory.Open(_directory);
        _keys = Mesh.Coordinator.Trust.CoordinatorKeys.Open(_state, _clock);
    }

    public async ValueTask InitializeAsync()
    {
        await Directory().CreateAsync("default", AddressPlan.New(), Actor.System, IdempotencyKey.None);
        await OpenAsync();
        foreach (string name in (string[])["alice", "bob"]) await _runtime.ExecuteAsync(new CreateUser(name), Actor.System, IdempotencyKey.None);
    }

    public async ValueTask DisposeAsync()
    {
        _hub.Dispose();
        _presence.Dispose();
        await _runtime.DisposeAsync();
        _keys.Dispose();
        _state.Dispose();
        _directory.Dispose();
        _metrics.Dispose();
    }

    /// <summary>A few, and two hundred in a long run (MESH_LONG).</summary>
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, Environment.GetEnvironmentVariable("MESH_LONG") is { Length: > 0 } ? 200 : 5)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task After_any_changes_cuts_and_resumes_the_map_is_a_fresh_snapshot(int seed)
    {
#pragma warning disable CA5394 // Replayable, not secret.
        Assert.All(Policies, text => NetworkPolicy.Of(text));
        var random = new Random(seed);
        for (int i = 0; i < 6; i++) await RegisterAsync(random);
        ulong viewer = _machines[0].Id;
        var poll = new Link(this, viewer, default, new TestMap());
        for (int step = 0; step < 150; step++)
        {
            int changes = random.Next(4);
            for (int i = 0; i < changes; i++) await ChangeAsync(random);
            switch (random.Next(8))
            {
                case 0: // A cut in the middle of whatever is being written.
                    var cut = await poll.CutAsync(random.Next(3));
                    poll = new Link(this, viewer, cut.Token, cut);
                    break;
                case 2: // Time goes by: presence is saved, and settles.
                    _clock.Advance(TimeSpan.FromMinutes(1 + random.Next(5)));
                    break;
                case 1: // The coordinator goes and comes back.
                    var isOrderly = random.Next(2) == 0;
                    if (isOrderly) _presence.SaveLastWord();
                    var kept = await poll.CutAsync(0);
                    _hub.Dispose();
                    _presence.Dispose();
                    await _runtime.DisposeAsync();
                    await OpenAsync();
                    poll = new Link(this, viewer, kept.Token, kept);
                    break;
            }
            if (step % 10 != 0) continue;
            var fresh = new Link(this, viewer, default, new TestMap(), RandomNumberGenerator.GetBytes(16), isOnlooker: true);
            string wanted = (await fresh.FirstAsync()).Picture();
            await fresh.CutAsync(0);
            await poll.UntilAsync(map => map.Picture() == wanted, $"seed {seed}, step {step}, wanted:\n{wanted}");
        }
        await poll.CutAsync(0);
#pragma warning restore CA5394
    }

    /// <summary>The clock stands still, so that no keepalive makes up for a change that was not told.</summary>
    [Fact]
    public async Task Polls_that_open_wait_and_close_while_the_network_changes_hear_of_every_change()
    {
        const int polls = 8, changes = 400;
        await _runtime.ExecuteAsync(new SetPolicy(NetworkPolicy.AllowAllText), Actor.System, IdempotencyKey.None);
#pragma warning disable CA5394 // Replayable, not secret.
        var random = new Random(1);
        for (int i = 0; i <= polls; i++) await RegisterAsync(random);
#pragma warning restore CA5394
        ulong changing = _machines[polls].Id;
        var changer = Task.Run(async () =>
        {
            for (int i = 0; i < changes; i++) await _runtime.ExecuteAsync(new RenameNode(changing, $"c{i}"), Actor.System, IdempotencyKey.None);
        });
        await Task.WhenAll(_machines.Take(polls).Select(machine => Task.Run(async () =>
        {
            var map = new TestMap();
            for (bool isLast = false; !isLast;)
            {
                isLast = changer.IsCompleted;
                var poll = new Link(this, machine.Id, map.Token, map);
                for (int heard = 0; heard < 3; heard++)
                {
                    var position = (ulong)_runtime.State.Position;
                    await poll.UntilAsync(has => has.Position >= position, $"position {position}");
                }
                map = await poll.CutAsync(0);
            }
            Assert.Equal($"c{changes - 1}", map.Peers[changing].Name);
        })));
        await changer;
    }

    private NetworkDirectory Directory() =>
        new(_state.Networks, _keys.Log, _clock, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);

    private async Task OpenAsync()
    {
        _presence = Directory().OpenPresence("default");
        _runtime = await Directory().OpenAsync("default", _presence.Presence);
        _presence.Start(id => _runtime.State.FindNode(id) is not null);
        _hub = new MapHub(_runtime, [.. _tokenKey], _clock, _metrics, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
    }

#pragma warning disable CA5394
    private async Task ChangeAsync(Random random)
    {
        var (machine, id) = _machines[random.Next(1, _machines.Count)];
        switch (random.Next(13))
        {
            case 10: await TryAsync(new TagNode(id, random.Next(2) == 0 ? ["tag:web"] : ["tag:db", "tag:web"])); break;
            case 11: await RegisterAsync(random, machine); break;
            case 8: await TryAsync(new RenameNode(id, $"n{random.Next(8)}")); break;
            case 9: await TryAsync(new SetNodeExpiry(id, random.Next(2) == 0 ? _clock.GetUtcNow() : null)); break;
            case 0: await RegisterAsync(random); break;
            case 1: await TryAsync(new LogoutNode(id)); break;
            case 2: await TryAsync(new RotateNodeKey(id, NewKey())); break;
            case 3 when _runtime.State.FindNode(id)?.PreviousNodeKey is { } previous: await TryAsync(new RetirePreviousNodeKey(id, previous)); break;
            case 4 when _machines.Count > 3:
                await TryAsync(new DeleteNode(id));
                _machines.RemoveAll(m => m.Id == id);
                break;
            case 5: await TryAsync(new SetPolicy(Policies[random.Next(Policies.Length)])); break;
            case 6: await RegisterAsync(random, machine); break;
            case 7:
                _runtime.Presence.Report(id, new byte[16],
                    [.. Enumerable.Range(0, random.Next(3)).Select(n => new PresenceEndpoint(IPAddress.Loopback, (ushort)(1 + random.Next(3) + n), EndpointSource.Local))]);
                break;
            default:
                using (_runtime.Presence.Connect(id, new byte[16])) if (random.Next(2) == 0) await RegisterAsync(random, machine);
                break;
        }
    }

    private async Task RegisterAsync(Random random, MachineKey? machine = null)
    {
        var command = random.Next(4) switch
        {
            0 => new CreatePreAuthKey { User = "alice" },
            1 => new CreatePreAuthKey { User = "bob" },
            2 => new CreatePreAuthKey { Tags = [random.Next(2) == 0 ? "tag:web" : "tag:db"] },
            _ => new CreatePreAuthKey(),
        };
        var key = await _runtime.ExecuteAsync(command, Actor.System, IdempotencyKey.None);
        machine ??= new MachineKey(BitConverter.GetBytes(_nextKey++));
        var registration = await _runtime.ExecuteAsync(
            new RegisterNode { MachineKey = machine, NodeKey = NewKey(), PreAuthKey = key.Text }, Actor.System, IdempotencyKey.None);
        if (_machines.All(m => m.Id != registration.Node.Id)) _machines.Add((machine, registration.Node.Id));
    }

#pragma warning restore CA5394

    private async Task TryAsync<T>(ICommand<T> command)
    {
        try
        {
            await _runtime.ExecuteAsync(command, Actor.System, IdempotencyKey.None);
        }
        catch (CommandRefusedException)
        {
            // As good a step as any.
        }
    }

    private X25519PublicKey NewKey()
    {
        byte[] bytes = new byte[32];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, ++_nextKey);
        return new X25519PublicKey(bytes);
    }

    /// <summary>A node's end of a poll, over a pipe.</summary>
    private sealed class Link
    {
        private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 4096, resumeWriterThreshold: 2048));
        private readonly Stream _stream;
        private readonly PollSession _session;
        private readonly Task _running;

        /// <param name="isOnlooker">Looks without going online itself, so that it changes nothing.</param>
        public Link(MapPropertyTests test, ulong nodeId, ByteString? token, TestMap map, byte[]? boot = null, bool isOnlooker = false)
        {
            Map = map;
            _stream = _pipe.Reader.AsStream();
            var hub = isOnlooker ? new MapHub(test._runtime, [.. test._tokenKey], test._clock, test._metrics, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance) : test._hub;
            var presence = isOnlooker ? new NetworkPresence(test._clock).Connect(nodeId, boot!) : test._runtime.Presence.Connect(nodeId, new byte[16]);
            _session = new PollSession(hub, presence, Observed, _pipe.Writer, () => { });
            hub.Open(_session);
            bool hasToken = token is { IsEmpty: false };
            var from = hasToken ? hub.Resume(token!.Span, nodeId) : null;
            _running = Task.Run(async () =>
            {
                await _session.RunAsync(from, reset: hasToken && from is null);
                hub.Close(_session);
                presence.Dispose();
                if (isOnlooker) hub.Dispose();
                await _pipe.Writer.CompleteAsync();
            });
        }

        public TestMap Map { get; }

        public async Task<TestMap> FirstAsync()
        {
            Assert.True(await NextAsync(), "the poll ended before its first frame");
            return Map;
        }

        public async Task UntilAsync(Func<TestMap, bool> wanted, string what)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            while (!wanted(Map))
            {
                try
                {
                    Assert.True(await NextAsync(limit.Token), $"the poll ended; {what}");
                }
                catch (OperationCanceledException)
                {
                    Assert.Fail($"never; {what}\n\nhas:\n{Map.Picture()}");
                }
            }
        }

        /// <summary>Reads some frames, and then hears no more.</summary>
        public async Task<TestMap> CutAsync(int framesBefore)
        {
            for (int i = 0; i < framesBefore && _pipe.Reader.TryRead(out var waiting); i++)
            {
                bool any = !waiting.Buffer.IsEmpty;
                _pipe.Reader.AdvanceTo(waiting.Buffer.Start);
                if (!any || !await NextAsync()) break;
            }
            _session.Aborted();
            await _pipe.Reader.CompleteAsync();
            await _running;
            return Map;
        }

        private async Task<bool> NextAsync(CancellationToken cancellation = default)
        {
            byte[] length = new byte[4];
            if (await _stream.ReadAtLeastAsync(length, 4, throwOnEndOfStream: false, cancellation) < 4) return false;
            byte[] bytes = new byte[BinaryPrimitives.ReadUInt32BigEndian(length)];
            await _stream.ReadExactlyAsync(bytes, cancellation);
            Map.Apply(MapFrame.Parser.ParseFrom(bytes));
            return true;
        }
    }
}
