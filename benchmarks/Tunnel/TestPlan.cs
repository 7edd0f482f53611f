using Mesh.EndToEnd.Lab;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>A figure of one run.</summary>
internal readonly record struct Figure(Row Row, double Value);

/// <summary>The tests over a standing tunnel, by name, and how each is run.</summary>
/// <param name="longRun">Longer measurements: less noise, three times the time.</param>
internal sealed class TestPlan(bool longRun)
{
    public const string HandshakeTest = "handshakes";
    public const string IdleTest = "idle";

    private const double FirstRung = 20_000, LastRung = 1_300_000, LossLimit = 0.01, OfferedLeast = 0.9;
    private const int Bisections = 4;
    private const int Megabyte = 1_000_000;

    public static readonly IReadOnlyList<string> Names =
        ["tcp1", "tcp4", "tcp1-plain", "udp64", "udpmax64", "udpmax1392", "ping", "ping-loaded", HandshakeTest, IdleTest];

    private readonly int _seconds = longRun ? 10 : 3;
    private readonly int _rungSeconds = longRun ? 3 : 1;
    private readonly int _pings = longRun ? 3000 : 1000;

    public Task<List<Figure>> RunAsync(string test, TunnelPair pair) => test switch
    {
        "tcp1" => TcpAsync(pair, 1, Row.Tcp1, Row.Tcp1Cpu, null),
        "tcp4" => TcpAsync(pair, 4, Row.Tcp4, Row.Tcp4Cpu, Row.Tcp4Rss),
        "tcp1-plain" => PlainAsync(pair),
        "udp64" => FloodAsync(pair, 64),
        "udpmax64" => LadderAsync(pair, 64, Row.UdpMax64),
        "udpmax1392" => LadderAsync(pair, 1392, Row.UdpMax1392),
        "ping" => PingAsync(pair, Row.Ping50, Row.Ping99, Row.PingLost, 1),
        "ping-loaded" => LoadedPingAsync(pair),
        _ => throw new ArgumentOutOfRangeException(nameof(test), test, "not a test of a tunnel"),
    };

    private async Task<List<Figure>> TcpAsync(TunnelPair pair, int streams, Row rate, Row cpu, Row? peak)
    {
        foreach (LabProcess daemon in pair.Daemons) ProcessFigures.ForgetPeak(daemon.Id);
        double before = Cpu(pair);
        double gigabits = await Iperf.TcpAsync(pair, _seconds, streams);
        var figures = new List<Figure> { new(rate, gigabits) };
        if (pair.Daemons.Count == 0) return figures;
        figures.Add(new(cpu, (Cpu(pair) - before) / (gigabits / 8 * _seconds)));
        if (peak is not null) figures.Add(new(peak, Peak(pair)));
        return figures;
    }

    private async Task<List<Figure>> PlainAsync(TunnelPair pair)
    {
        await pair.SetOffloadsAsync(false);
        try
        {
            return [new(Row.TcpPlain, await Iperf.TcpAsync(pair, _seconds, 1))];
        }
        finally
        {
            await pair.SetOffloadsAsync(true);
        }
    }

    private async Task<List<Figure>> FloodAsync(TunnelPair pair, int payload)
    {
        foreach (LabProcess daemon in pair.Daemons) ProcessFigures.ForgetPeak(daemon.Id);
        double before = Cpu(pair);
        UdpReport report = await Iperf.UdpAsync(pair, _seconds, payload, 0);
        var figures = new List<Figure> { new(Row.Udp64, report.Arrived / 1e3) };
        if (pair.Daemons.Count == 0) return figures;
        figures.Add(new(Row.Udp64Cpu, (Cpu(pair) - before) / (report.Arrived * report.Seconds) * 1e6));
        figures.Add(new(Row.Udp64Rss, Peak(pair)));
        return figures;
    }

    /// <summary>The highest rate with less than 1% loss: doubled until it fails, then bisected.</summary>
    private async Task<List<Figure>> LadderAsync(TunnelPair pair, int payload, Row row)
    {
        double best = 0;
        async Task<bool> HoldsAsync(double rate)
        {
            UdpReport report = await Iperf.UdpAsync(pair, _rungSeconds, payload, rate);
            bool holds = report.Loss < LossLimit && report.Arrived > OfferedLeast * rate;
            if (holds) best = report.Arrived;
            return holds;
        }
        double low = 0, high = FirstRung;
        while (high <= LastRung && await HoldsAsync(high)) (low, high) = (high, 2 * high);
        for (int i = 0; i < Bisections; i++)
        {
            double middle = (low + high) / 2;
            if (await HoldsAsync(middle)) low = middle;
            else high = middle;
        }
        return [new(row, best / 1e3)];
    }

    private async Task<List<Figure>> PingAsync(TunnelPair pair, Row p50, Row p99, Row lost, double unitMicroseconds)
    {
        CommandResult result = await pair.A.TryAsync(["ping", "-n", "-i", "0.002", "-c", $"{_pings}", pair.Target],
            deadline: TimeSpan.FromSeconds(60));
        PingReport report = PingReport.Parse(result.Output);
        return [new(p50, report.At(0.5) / unitMicroseconds), new(p99, report.At(0.99) / unitMicroseconds), new(lost, report.LostPercent)];
    }

    private async Task<List<Figure>> LoadedPingAsync(TunnelPair pair)
    {
        int seconds = _pings / 500 + 4;
        LabProcess load = pair.A.Start(["iperf3", "-c", pair.Target, "-p", $"{TunnelPair.BackgroundPort}", "-C", "cubic", "-t", $"{seconds}"]);
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(1)); // past the slow start
            return await PingAsync(pair, Row.LoadedPing50, Row.LoadedPing99, Row.LoadedPingLost, 1000);
        }
        finally
        {
            // Killed, the server would wait for it; asked, both end.
            await load.TerminateAsync(TimeSpan.FromSeconds(5));
            await Task.Delay(TimeSpan.FromMilliseconds(300)); // what is in flight still crosses
        }
    }

    private static double Cpu(TunnelPair pair) => pair.Daemons.Sum(daemon => ProcessFigures.Cpu(daemon.Id));

    /// <summary>Of the larger daemon, in 10^6 bytes.</summary>
    private static double Peak(TunnelPair pair) =>
        pair.Daemons.Max(daemon => ProcessFigures.PeakMegabytes(daemon.Id)) * 1024 * 1024 / Megabyte;
}
