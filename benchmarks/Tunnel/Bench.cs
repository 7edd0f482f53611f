using System.Diagnostics;
using Mesh.EndToEnd.Lab;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>
/// Runs every test with every contender, one right after the other, and that as often as asked: what changes on the machine
/// meanwhile then changes for all.
/// </summary>
internal sealed class Bench(Options options, Samples samples, TextWriter progress)
{
    private const int Tries = 2, WaitsInVain = 5;
    private const double ForeignLimit = 0.1, IdleEnough = 0.9;
    private static readonly TimeSpan IdleProbe = TimeSpan.FromMilliseconds(300), IdlePatience = TimeSpan.FromSeconds(10);

    private readonly TestPlan _plan = new(options.Long);
    private int _waitsInVain;

    /// <summary>The largest part of the machine that others used during a measurement that counts.</summary>
    public double WorstForeign { get; private set; }

    /// <summary>Measurements that came to nothing; the others go on.</summary>
    public int Failed { get; private set; }

    public async Task RunAsync()
    {
        string[] overTunnel = [.. options.Tests.Where(test => test is not (TestPlan.HandshakeTest or TestPlan.IdleTest))];
        if (overTunnel.Length > 0 && options.Runs > 0) await RunTunnelsAsync(overTunnel);
        Contender[] daemons = [.. options.Contenders.Where(contender => contender.Kind == ContenderKind.WireGuard)];
        if (options.Runs == 0 || daemons.Length == 0) return;
        var many = new ManyPeers();
        if (options.Tests.Contains(TestPlan.HandshakeTest))
        {
            for (int run = 0; run < options.Runs; run++)
                foreach (Contender contender in Turned(daemons, run))
                    await TakeAsync(TestPlan.HandshakeTest, run, contender, () => many.AnswerAsync(contender));
        }
        if (options.Tests.Contains(TestPlan.IdleTest))
        {
            // How a packet is sealed makes no difference to peers that send none.
            Contender[] idle = [.. daemons.Where(contender => !contender.IsOurs || contender.Key == Contender.Ours)];
            foreach ((Contender contender, List<Figure> figures) in await many.IdleAsync(idle, TimeSpan.FromSeconds(30)))
                Keep(TestPlan.IdleTest, 0, contender, figures);
        }
    }

    private async Task RunTunnelsAsync(string[] tests)
    {
        await using var lab = new NetworkLab();
        var pairs = new List<TunnelPair>();
        foreach (Contender contender in options.Contenders)
        {
            progress.WriteLine($"starting {contender.Title}");
            pairs.Add(await TunnelPair.StartAsync(lab, contender));
        }
        for (int run = 0; run < options.Runs; run++)
        {
            foreach (string test in tests)
            {
                foreach (TunnelPair pair in Turned(pairs, run))
                {
                    // The link only shows what there is to be had; once is enough.
                    if (pair.Contender.Kind == ContenderKind.Link && run > 0) continue;
                    await TakeAsync(test, run, pair.Contender, () => _plan.RunAsync(test, pair));
                }
            }
        }
    }

    /// <summary>Measures, and once more if others used the machine meanwhile.</summary>
    private async Task TakeAsync(string test, int run, Contender contender, Func<Task<List<Figure>>> measure)
    {
        for (int attempt = 1; ; attempt++)
        {
            await AwaitIdleAsync();
            double before = ProcessFigures.Machine().Busy - ProcessFigures.Sandbox();
            long start = Stopwatch.GetTimestamp();
            List<Figure> figures;
            try
            {
                figures = await measure();
            }
            catch (Exception e) when (e is InvalidOperationException or TimeoutException)
            {
                progress.WriteLine($"{run + 1}/{options.Runs} {test,-12} {contender.Title,-26} failed: {e.Message.Trim()}");
                Failed++;
                return;
            }
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            double foreign = (ProcessFigures.Machine().Busy - ProcessFigures.Sandbox() - before) / seconds;
            if (foreign > ForeignLimit && attempt < Tries && _waitsInVain < WaitsInVain) continue;
            WorstForeign = Math.Max(WorstForeign, foreign);
            Keep(test, run, contender, figures);
            return;
        }
    }

    private void Keep(string test, int run, Contender contender, List<Figure> figures)
    {
        foreach (Figure figure in figures) samples.Add(contender, figure);
        progress.WriteLine($"{run + 1}/{options.Runs} {test,-12} {contender.Title,-26} "
            + string.Join("  ", figures.Select(figure => figure.Value.ToString(figure.Row.Format, System.Globalization.CultureInfo.InvariantCulture))));
    }

    /// <summary>Waits for an idle machine, but not for ever: after some waits in vain it is taken for one that never is.</summary>
    private async Task AwaitIdleAsync()
    {
        if (_waitsInVain >= WaitsInVain) return;
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < IdlePatience)
        {
            double before = ProcessFigures.Machine().Idle;
            await Task.Delay(IdleProbe);
            if ((ProcessFigures.Machine().Idle - before) / IdleProbe.TotalSeconds > IdleEnough * Environment.ProcessorCount) return;
        }
        _waitsInVain++;
    }

    /// <summary>In another order each run, as who comes first may be worse or better off.</summary>
    private static IEnumerable<T> Turned<T>(IReadOnlyList<T> all, int by) => all.Select((_, i) => all[(i + by) % all.Count]);
}
