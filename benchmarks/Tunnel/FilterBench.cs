using System.Globalization;
using Mesh.EndToEnd.Lab;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>
/// What the policy's filter takes of a tunnel's throughput. One load on one standing tunnel, through which the filter is switched:
/// without, with, with, without, ... Whatever changes on the machine, or in the load, then changes for both.
/// </summary>
internal sealed class FilterBench
{
    private const string Headings =
        "| | without | with | with / without (95%) | — CPU (95%) | B allocated a packet, with, without |\n| --- | ---: | ---: | ---: | ---: | ---: |";

    // Some versions of iperf3 give up now and then: "unable to read from stream socket".
    private const int Tries = 3;

    // Full segments at an MTU of 1420; 64 bytes, UDP and IP headers, padded. Both with a message's own 32.
    private const int TcpMessage = 1420 + 32, UdpMessage = 96 + 32;

    // Less the IP and TCP headers and the timestamps' option.
    private const int TcpPayload = 1420 - 20 - 20 - 12;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1), Slack = TimeSpan.FromSeconds(60);

    private static readonly FilterTest[] All =
    [
        new("tcp1", "TCP, 1 stream, by rule", 1, false), new("tcp1-reply", "TCP, 1 stream, reply", 1, true),
        new("tcp4", "TCP, 4 streams, by rule", 4, false), new("tcp4-reply", "TCP, 4 streams, reply", 4, true),
        new("udp64", "UDP 64 B, by rule", 0, false), new("udp64-reply", "UDP 64 B, reply", 0, true),
    ];

    private readonly int _pairs = 40;
    private readonly TimeSpan _slice = TimeSpan.FromMilliseconds(500);
    private readonly bool _control;
    private readonly FilterTest[] _tests = All;

    /// <exception cref="UsageException">The command line is not understood.</exception>
    public FilterBench(string[] arguments)
    {
        for (int i = 0; i < arguments.Length; i++)
        {
            string Value() => ++i < arguments.Length ? arguments[i] : throw new UsageException($"{arguments[i - 1]} needs a value");
            int Number(int least, int most) => int.TryParse(Value(), out int number) && number >= least && number <= most
                ? number
                : throw new UsageException($"{arguments[i - 1]} takes a number from {least} to {most}");
            switch (arguments[i])
            {
                case "--pairs": _pairs = Number(1, 1_000); break;
                case "--slice": _slice = TimeSpan.FromMilliseconds(Number(100, 60_000)); break;
                case "--control": _control = true; break;
                case "--tests":
                    _tests = [.. Value().Split(',').Select(name => Array.Find(All, test => test.Name == name)
                        ?? throw new UsageException($"there is no test {name}; there are {string.Join(", ", All.Select(one => one.Name))}"))];
                    break;
                default: throw new UsageException($"{arguments[i]} is not an option");
            }
        }
    }

    public async Task RunAsync(TextWriter table, TextWriter progress)
    {
        await using var lab = new NetworkLab();
        TunnelPair pair = await TunnelPair.StartAsync(lab, Contender.FilterEnds);
        foreach (bool filter in (bool[])[true, false])
        {
            await FilterEnd.SwitchAsync(pair.Daemons, filter);
            if (await pair.A.PingsAsync(pair.Target, secondsToWait: 1) == filter) throw new InvalidOperationException("the filter is not where it should be");
        }
        var lines = new List<string> { Headings };
        foreach (FilterTest test in _tests)
        {
            progress.WriteLine(test.Title);
            for (int tries = 1; ; tries++)
            {
                try
                {
                    lines.Add(await MeasureAsync(pair, test, progress));
                    break;
                }
                catch (InvalidOperationException e) when (tries < Tries)
                {
                    progress.WriteLine($"once more, as {e.Message.Trim()}");
                }
            }
        }
        table.WriteLine(string.Join('\n', lines));
    }

    private async Task<string> MeasureAsync(TunnelPair pair, FilterTest test, TextWriter progress)
    {
        int seconds = (int)(2 * WarmUp + 2 * _pairs * _slice + Slack).TotalSeconds;
        string[] kind = test.Streams > 0 ? ["-C", "cubic", "-P", $"{test.Streams}"] : ["-u", "-l", "64", "-b", "0"];
        string[] direction = test.IsReply ? ["-R"] : [];
        LabProcess load = pair.A.Start(["iperf3", "-c", pair.Target, "-p", $"{TunnelPair.LoadPort}", "-t", $"{seconds}", .. kind, .. direction]);
        List<Slice> without = [], with = [];
        try
        {
            foreach (bool filter in (bool[])[true, false])
            {
                await FilterEnd.SwitchAsync(pair.Daemons, filter && !_control);
                await Task.Delay(WarmUp);
            }
            Mark[]? before = null;
            bool filterBefore = false;
            for (int i = 0; i <= 2 * _pairs; i++)
            {
                bool filter = (i & 1) != (i >> 1 & 1);
                Mark[] now = await FilterEnd.SwitchAsync(pair.Daemons, filter && !_control);
                if (before is not null)
                {
                    var slice = Slice.Of(before, now, receiver: test.IsReply ? 0 : 1, test.Streams > 0 ? TcpMessage : UdpMessage);
                    progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(filterBefore ? "with   " : "without")} {slice.Rate / 1e3:0.0} kpps, {slice.Cpu:0.000} µs CPU"));
                    (filterBefore ? with : without).Add(slice);
                }
                (before, filterBefore) = (now, filter);
                await Task.Delay(_slice);
                if (load.HasExited) throw new InvalidOperationException($"the load ended: {load.Error}");
            }
        }
        finally
        {
            // Killed, the server would wait for it; asked, both end.
            await load.TerminateAsync(TimeSpan.FromSeconds(5));
            await Task.Delay(TimeSpan.FromMilliseconds(300)); // what is in flight still crosses
        }
        string Rate(List<Slice> slices)
        {
            double rate = Quantile([.. slices.Select(slice => slice.Rate)], 0.5);
            return string.Create(CultureInfo.InvariantCulture, $"{(test.Streams > 0 ? rate * TcpPayload * 8 / 1e9 : rate / 1e3):0.00}");
        }
        return $"| {test.Title}, {(test.Streams > 0 ? "Gbit/s" : "kpps")} | {Rate(without)} | {Rate(with)} "
            + $"| {Ratio(with, without, slice => slice.Rate)} | {Ratio(with, without, slice => slice.Cpu)} "
            + string.Create(CultureInfo.InvariantCulture, $"| {Allocated(with):0.000}, {Allocated(without):0.000} |");
    }

    private static double Allocated(List<Slice> slices) => slices.Sum(slice => slice.Allocated) / slices.Sum(slice => slice.Packets);

    /// <summary>The median of the pairs' ratios, and between which of them it is with 95% certainty (order statistics).</summary>
    private static string Ratio(List<Slice> with, List<Slice> without, Func<Slice, double> figure)
    {
        double[] ratios = [.. with.Zip(without, (a, b) => figure(a) / figure(b))];
        double reach = 0.98 / Math.Sqrt(ratios.Length);
        return string.Create(CultureInfo.InvariantCulture,
            $"{Quantile(ratios, 0.5):0.000} ({Quantile(ratios, 0.5 - reach):0.000} to {Quantile(ratios, 0.5 + reach):0.000})");
    }

    private static double Quantile(double[] values, double at)
    {
        Array.Sort(values);
        double place = Math.Clamp(at, 0, 1) * (values.Length - 1);
        int below = (int)place;
        return values[below] + (values[Math.Min(below + 1, values.Length - 1)] - values[below]) * (place - below);
    }

    /// <param name="Streams">Of TCP; 0 for a flood of datagrams.</param>
    /// <param name="IsReply">The load goes from who was connected to back to who connected, where the flow table lets it in.</param>
    private sealed record FilterTest(string Name, string Title, int Streams, bool IsReply);

    /// <param name="Rate">Packets a second that the receiving end opened.</param>
    /// <param name="Cpu">Of both ends, in µs a packet.</param>
    /// <param name="Allocated">Bytes, of both ends.</param>
    private readonly record struct Slice(double Packets, double Rate, double Cpu, long Allocated)
    {
        public static Slice Of(Mark[] from, Mark[] to, int receiver, int messageLength)
        {
            double packets = (double)(to[receiver].Received - from[receiver].Received) / messageLength;
            double cpu = to.Zip(from, (end, begin) => (end.Cpu - begin.Cpu).TotalMicroseconds).Sum();
            return new Slice(packets, packets / (to[receiver].At - from[receiver].At).TotalSeconds, cpu / packets,
                to.Zip(from, (end, begin) => end.Allocated - begin.Allocated).Sum());
        }
    }
}
