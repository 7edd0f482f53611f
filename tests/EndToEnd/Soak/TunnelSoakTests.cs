using System.Diagnostics;
using System.Globalization;
using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Wg;
using Mesh.Node.Device;

namespace Mesh.EndToEnd.Soak;

/// <summary>
/// A tunnel under load while one end restarts, the other roams, packets are lost at random and sessions are renewed every few
/// seconds, on a clock that runs 20 times as fast:
/// <code>
///   host a ── 10.99.0.1 ═══ loses packets ═══ 10.99.0.2 ── host b
///         └─ tunnel 10.88.0.1 ────────────── 10.88.0.2 ─┘
/// </code>
/// One end has one queue, the other three.
/// Datagrams in both directions, in single ones and in pieces that the kernel cuts, carry sums; so do TCP transfers.
/// MESH_SOAK_MINUTES says how long; a long run (MESH_LONG) takes an hour; MESH_TEST_SEED takes another seed.
/// </summary>
public sealed class TunnelSoakTests
{
    private const int Speed = 20;
    private const long TransferBytes = 8 * Transfer.Mebibyte;

    /// <summary>What a receiver must take (Crypto.ReplayWindow.Width); nothing here reorders by more.</summary>
    private const long WorstReordering = 8_128;
    private const int RssGrowthMegabytes = 24;

    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan BetweenEvents = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan Length =
        double.TryParse(Environment.GetEnvironmentVariable("MESH_SOAK_MINUTES"), CultureInfo.InvariantCulture, out double minutes)
            ? TimeSpan.FromMinutes(minutes)
            : Environment.GetEnvironmentVariable("MESH_LONG") is { Length: > 0 } ? TimeSpan.FromHours(1) : TimeSpan.FromSeconds(12);

    private static readonly int Seed =
        int.TryParse(Environment.GetEnvironmentVariable("MESH_TEST_SEED"), CultureInfo.InvariantCulture, out int seed) ? seed : 20261127;

    private readonly Random _random = new(Seed);
    private int _restarts, _roams, _lossChanges, _handshakes, _transfers;

    [Fact]
    public async Task A_shaken_tunnel_changes_repeats_and_leaks_nothing()
    {
        string[] descriptorsBefore = Descriptors();
        await using var lab = new NetworkLab();
        NetworkNamespace hostA = await lab.AddHostAsync("a"), hostB = await lab.AddHostAsync("b");
        await NetworkLab.ConnectAsync((hostA, "veth0", [SoakEnd.UnderlayOf(1) + "/24"]), (hostB, "veth0", [SoakEnd.UnderlayOf(2) + "/24"]));
        // A listener may be made while the interface, and its address, are away.
        foreach (NetworkNamespace host in (NetworkNamespace[])[hostA, hostB]) await host.RunAsync("sysctl", "-q", "-w", "net.ipv4.ip_nonlocal_bind=1");
        var clock = new FastClock(Speed);
        string keyA = await WgDevice.NewKeyAsync(), keyB = await WgDevice.NewKeyAsync();
        var a = new SoakEnd(hostA, "soak-a", 1, queues: 1, clock, keyA);
        var b = new SoakEnd(hostB, "soak-b", 2, queues: 3, clock, keyB);
        try
        {
            await StartAsync(a, keyB);
            await StartAsync(b, keyA);
            await Wait.UntilAsync("the first ping", Silence, () => hostA.PingsAsync(b.Address));
            await ShakeAsync(a, b, keyA);
        }
        finally
        {
            a.Stop();
            b.Stop();
        }
        // The runtime may close some only when it collects, and opens a few of its own.
        await Wait.UntilAsync("what was opened is closed", Silence, () =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return Descriptors().Length <= descriptorsBefore.Length + 2;
        }, () => $"{descriptorsBefore.Length} before, now {string.Join(' ', Descriptors())}");
    }

    private async Task ShakeAsync(SoakEnd a, SoakEnd b, string keyA)
    {
        DatagramFlow[] flows =
        [
            new(a.Host, a.Address, b.Host, b.Address, 7001, segments: false), new(b.Host, b.Address, a.Host, a.Address, 7002, segments: false),
            new(a.Host, a.Address, b.Host, b.Address, 7003, segments: true), new(b.Host, b.Address, a.Host, a.Address, 7004, segments: true),
        ];
        using var ended = new CancellationTokenSource();
        Task transfers = TransferAsync(a, b, ended.Token);
        long settledRss = 0;
        var running = Stopwatch.StartNew();
        try
        {
            while (running.Elapsed < Length)
            {
                long[] before = [.. flows.Select(flow => flow.Received)];
                await DisturbAsync(a, b, keyA);
                await Wait.UntilAsync($"all flows go on (seed {Seed}, after {running.Elapsed})", Silence, () =>
                    a.Completion.IsFaulted || b.Completion.IsFaulted || flows.Zip(before, (flow, count) => flow.Received > count).All(moved => moved));
                await Task.WhenAny(a.Completion, b.Completion, transfers, Task.Delay(BetweenEvents));
                foreach (Task watched in (Task[])[a.Completion, b.Completion, transfers])
                    if (watched.IsFaulted) await watched;
                if (settledRss == 0 && running.Elapsed > Length / 4) settledRss = Rss();
            }
        }
        finally
        {
            await ended.CancelAsync();
            foreach (DatagramFlow flow in flows) flow.StopSending();
        }
        await transfers;
        await SetLossAsync(a.Host, b.Host, 0);
        await AwaitRestAsync(a.Device);
        await AwaitRestAsync(b.Device);
        long rss = Rss();
        foreach (DatagramFlow flow in flows) flow.Dispose();
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{running.Elapsed.TotalMinutes:0.0} min, {flows.Sum(flow => flow.Received):N0} of {flows.Sum(flow => flow.Sent):N0} datagrams and {_transfers * (TransferBytes / Transfer.Mebibyte)} MiB by TCP, {_handshakes} sessions, {_restarts} restarts, {_roams} roams, {_lossChanges} changes of loss; worst reordering {flows.Max(flow => flow.WorstLate)}, RSS {settledRss >> 20} MiB after a quarter and {rss >> 20} MiB at the end, {Descriptors().Length} descriptors"));
        Assert.All(flows, flow =>
        {
            Assert.Equal(0, flow.Changed);
            Assert.Equal(0, flow.Twice);
            Assert.InRange(flow.WorstLate, 0, WorstReordering);
            Assert.True(flow.Received > flow.Sent / 4, $"{flow.Received} of {flow.Sent} datagrams arrived");
        });
        Assert.True(_transfers > 0, "no transfer came to its end");
        Assert.True(_handshakes > 2 * _restarts, $"{_handshakes} sessions: none was renewed");
        Assert.True(rss - settledRss < (long)RssGrowthMegabytes << 20, $"from {settledRss >> 20} to {rss >> 20} MiB resident");
    }

    /// <summary>Sends megabytes by TCP from a to b, again and again; each must arrive intact.</summary>
    private async Task TransferAsync(SoakEnd a, SoakEnd b, CancellationToken ended)
    {
        while (!ended.IsCancellationRequested)
        {
            TransferResult result = await Transfer.RunAsync(a.Host, b.Host, b.Address, TransferBytes);
            Assert.True(result.Intact, $"a transfer of {result.BytesReceived} bytes arrived changed");
            _transfers++;
        }
    }

#pragma warning disable CA5394 // Replayable, not secret.
    private async Task DisturbAsync(SoakEnd a, SoakEnd b, string keyA)
    {
        switch (_random.Next(5))
        {
            case 0:
                b.Stop();
                await StartAsync(b, keyA);
                _restarts++;
                break;
            case 1:
            case 2:
                await a.RoamAsync(_random.Next(20_000, 60_000));
                _roams++;
                break;
            default:
                await SetLossAsync(a.Host, b.Host, _random.Next(0, 4));
                _lossChanges++;
                break;
        }
    }
#pragma warning restore CA5394

    private async Task StartAsync(SoakEnd end, string otherKey)
    {
        await end.StartAsync(otherKey);
        WireGuardDevice device = end.Device;
        device.PeerChanged += (_, what) =>
        {
            if (what == PeerEvent.SessionMade) Interlocked.Increment(ref _handshakes);
        };
        new Thread(() => Hurry(device, end.Completion)) { IsBackground = true }.Start();
    }

    /// <summary>Wakes the thread that sleeps by the system's clock until a time of the faster one.</summary>
    private static void Hurry(WireGuardDevice device, Task until)
    {
        while (!until.Wait(TimeSpan.FromMilliseconds(10))) device.WakeControl();
    }

    /// <summary>Each host drops so many in a hundred of what comes over the link.</summary>
    private static async Task SetLossAsync(NetworkNamespace a, NetworkNamespace b, int percent)
    {
        foreach (NetworkNamespace host in (NetworkNamespace[])[a, b])
        {
            string rules = $$"""
                table ip loss
                delete table ip loss
                table ip loss {
                  chain in { type filter hook prerouting priority 0; iifname veth0 udp length > 0 numgen random mod 100 < {{percent}} drop; }
                }

                """;
            (await host.TryAsync(["nft", "-f", "-"], rules)).Checked();
        }
    }

    /// <summary>With nothing to send, nothing is kept: staged packets, ended sessions, messages that wait.</summary>
    private static Task<TimeSpan> AwaitRestAsync(WireGuardDevice device) =>
        Wait.UntilAsync("everything was given back", Silence,
            () => device.StagingBudget.Left == Timing.StagedBytes && device.Quiescence.Waiting == 0 && device.HandshakeQueue.Count == 0
                && device.Attention.IsEmpty && device.Indices.Count <= 4,
            () => $"{Timing.StagedBytes - device.StagingBudget.Left} bytes staged, {device.Quiescence.Waiting} sessions to zero, {device.Indices.Count} indices");

    private static long Rss()
    {
        GC.Collect();
        using var self = Process.GetCurrentProcess();
        return self.WorkingSet64;
    }

    /// <summary>What this process has open of the kinds that the engine opens; assemblies and the pipes of programs come and go.</summary>
    private static string[] Descriptors() =>
        [.. new DirectoryInfo("/proc/self/fd").GetFileSystemInfos().Select(entry => entry.LinkTarget ?? "")
            .Where(target => target.StartsWith("socket:", StringComparison.Ordinal) || target.StartsWith("anon_inode:", StringComparison.Ordinal)
                || target == "/dev/net/tun")];
}
