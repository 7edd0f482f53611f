using System.Globalization;
using System.Text.Json;
using Mesh.EndToEnd.Lab;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>Runs iperf3 from a pair's host a to b and reads its report.</summary>
internal static class Iperf
{
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(15);

    /// <summary>TCP with cubic.</summary>
    /// <returns>What was received, in Gbit/s.</returns>
    public static async Task<double> TcpAsync(TunnelPair pair, double seconds, int streams)
    {
        using JsonDocument report = await RunAsync(pair, seconds, "-C", "cubic", "-P", Text(streams));
        return report.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bits_per_second").GetDouble() / 1e9;
    }

    /// <summary>UDP at an offered rate, or as fast as the sender can (0).</summary>
    public static async Task<UdpReport> UdpAsync(TunnelPair pair, double seconds, int payload, double packetsPerSecond)
    {
        using JsonDocument report = await RunAsync(pair, seconds, "-u", "-l", Text(payload), "-b", Text((long)(packetsPerSecond * payload * 8)));
        JsonElement sum = report.RootElement.GetProperty("end").GetProperty("sum");
        double sent = sum.GetProperty("packets").GetDouble(), took = sum.GetProperty("seconds").GetDouble();
        return new UdpReport(sent / took, (sent - sum.GetProperty("lost_packets").GetDouble()) / took, took);
    }

    private static async Task<JsonDocument> RunAsync(TunnelPair pair, double seconds, params string[] options)
    {
        string[] command = ["iperf3", "-J", "-c", pair.Target, "-p", Text(TunnelPair.LoadPort), "-t", Text((int)Math.Ceiling(seconds)), .. options];
        CommandResult result = await pair.A.TryAsync(command, deadline: TimeSpan.FromSeconds(seconds) + Slack);
        var report = JsonDocument.Parse(result.Output.Length > 0 ? result.Output : "{}");
        if (report.RootElement.TryGetProperty("error", out JsonElement error) || result.ExitCode != 0)
            throw new InvalidOperationException($"iperf3 over {pair.Contender.Title}: {error} {result.Error}");
        return report;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Packets a second that were sent and that arrived.</summary>
internal readonly record struct UdpReport(double Sent, double Arrived, double Seconds)
{
    public double Loss => Sent > 0 ? 1 - Arrived / Sent : 1;
}
