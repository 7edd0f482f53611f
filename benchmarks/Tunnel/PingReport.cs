using System.Globalization;
using System.Text.RegularExpressions;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>What ping printed.</summary>
internal sealed partial class PingReport
{
    private readonly double[] _microseconds;

    private PingReport(double[] microseconds, double lostPercent) => (_microseconds, LostPercent) = (microseconds, lostPercent);

    public double LostPercent { get; }

    public static PingReport Parse(string output)
    {
        static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
        double[] times = [.. TimePattern().Matches(output).Select(match => 1000 * Number(match.Groups[1].Value)).Order()];
        Match counts = CountPattern().Match(output);
        if (!counts.Success || times.Length == 0) throw new InvalidOperationException($"ping had no answer: {output}");
        double sent = Number(counts.Groups[1].Value), answered = Number(counts.Groups[2].Value);
        return new PingReport(times, 100 * (sent - answered) / sent);
    }

    /// <summary>The round trip below which this part of the answers is, in microseconds.</summary>
    public double At(double quantile) => _microseconds[Math.Min((int)(_microseconds.Length * quantile), _microseconds.Length - 1)];

    [GeneratedRegex(@"time=([\d.]+) ms")]
    private static partial Regex TimePattern();

    [GeneratedRegex(@"(\d+) packets transmitted, (\d+) received")]
    private static partial Regex CountPattern();
}
