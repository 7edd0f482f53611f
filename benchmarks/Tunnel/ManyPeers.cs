using System.Diagnostics;
using System.Net.Sockets;
using Mesh.EndToEnd.Lab;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>What many peers cost one daemon: their handshakes, and their mere being there.</summary>
internal sealed class ManyPeers
{
    private const int AskingPeers = 2_000;
    private const int IdlePeers = 10_000;
    private static readonly TimeSpan SettingDeadline = TimeSpan.FromMinutes(2);
    private static int Labs;

    private readonly PeerSet _asking = new(AskingPeers);
    private readonly PeerSet _idle = new(IdlePeers);

    /// <summary>A fresh daemon answers one initiation of each of 2,000 peers, 64 in flight.</summary>
    public async Task<List<Figure>> AnswerAsync(Contender contender)
    {
        var load = new HandshakeLoad(_asking);
        await using var lab = new NetworkLab();
        var pair = await TunnelPair.JoinAsync(lab, contender, "h");
        (LabProcess daemon, _) = await StartAsync(pair, contender, _asking);
        double before = ProcessFigures.Cpu(daemon.Id);
        using Socket socket = pair.A.Inside(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        (int answers, int cookies, double seconds) = load.Run(socket, "10.99.0.2");
        if (answers < AskingPeers * 0.95)
            throw new InvalidOperationException($"{contender.Title} answered {answers} of {AskingPeers} initiations, and asked for {cookies} cookies");
        return [new(Row.Handshakes, answers / seconds), new(Row.HandshakeCpu, (ProcessFigures.Cpu(daemon.Id) - before) / answers * 1e6)];
    }

    /// <summary>All contenders at once have 10,000 peers and nothing to do.</summary>
    public async Task<List<(Contender Contender, List<Figure> Figures)>> IdleAsync(IReadOnlyList<Contender> contenders, TimeSpan watched)
    {
        await using var lab = new NetworkLab();
        var daemons = new List<(Contender Contender, LabProcess Daemon, double Seconds)>();
        foreach (Contender contender in contenders)
        {
            var pair = await TunnelPair.JoinAsync(lab, contender, $"i{daemons.Count}");
            (LabProcess daemon, double seconds) = await StartAsync(pair, contender, _idle);
            daemons.Add((contender, daemon, seconds));
        }
        await Task.Delay(TimeSpan.FromSeconds(5));
        double[] before = [.. daemons.Select(one => ProcessFigures.Cpu(one.Daemon.Id))];
        await Task.Delay(watched);
        return [.. daemons.Select((one, i) => (one.Contender, new List<Figure>
        {
            new(Row.PeersSet, one.Seconds),
            new(Row.IdleRss, ProcessFigures.ResidentMegabytes(one.Daemon.Id) * 1024 * 1024 / 1e6),
            new(Row.IdleCpu, (ProcessFigures.Cpu(one.Daemon.Id) - before[i]) / watched.TotalSeconds * 100),
        }))];
    }

    private static async Task<(LabProcess Daemon, double Seconds)> StartAsync(TunnelPair pair, Contender contender, PeerSet peers)
    {
        string name = $"bm{Interlocked.Increment(ref Labs)}";
        LabProcess daemon = await contender.StartWireGuardAsync(pair.B, name);
        long start = Stopwatch.GetTimestamp();
        (await pair.B.TryAsync(["wg", "setconf", name, "/dev/stdin"], peers.Configuration, SettingDeadline)).Checked();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        await pair.B.IpAsync($"link set {name} up");
        await Task.Delay(TimeSpan.FromSeconds(1)); // as a daemon that has been up for a while
        return (daemon, seconds);
    }
}
