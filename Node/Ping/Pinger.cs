using System.Runtime.CompilerServices;
using Mesh.Node.Cli;
using Mesh.Node.Daemon;
using Mesh.Node.LocalApi;

namespace Mesh.Node.Ping;

/// <summary>Measures the round trip to a peer through the tunnel, and says by which path.</summary>
internal sealed class Pinger(NodeRuntime runtime, TimeProvider time)
{
    private const int MaxCount = 10_000;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    /// <summary>Long enough for a path to be tried at two of the peer's endpoints.</summary>
    private static readonly TimeSpan FirstPatience = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <exception cref="UserException">No such peer, the tunnel is down, or no right to send.</exception>
    public async IAsyncEnumerable<PingReply> PingAsync(PingRequest request, [EnumeratorCancellation] CancellationToken cancel)
    {
        if (request.Count is < 1 or > MaxCount)
            throw new UserException(ExitCode.Usage, $"cannot send {request.Count} pings", $"Give a count from 1 to {MaxCount} with -c.");
        var (peer, from, to) = runtime.Resolve(request.Host);
        using var echo = new IcmpEcho(from, to, time);
        for (int n = 1; n <= request.Count; n++)
        {
            if (n > 1) await Task.Delay(Interval, time, cancel).ConfigureAwait(false);
            var patience = n == 1 ? FirstPatience : Patience;
            int sequence = n;
            // On a thread of its own, which sleeps in the kernel: an event loop's wake-up would be part of the figure.
            var took = await Task.Factory
                .StartNew(() => echo.Send((ushort)sequence, patience), cancel, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                .ConfigureAwait(false);
            double? latency = took?.TotalMilliseconds;
            if (latency is { } milliseconds) runtime.NoteLatency(peer.NodeId, milliseconds);
            var status = runtime.StatusOf(peer.NodeId);
            string? reason = latency is not null ? null : status?.Reason ?? $"no answer within {patience.TotalSeconds:0} s";
            yield return new PingReply(peer.Name, to.ToString(), n, status?.Path ?? "none", status?.Endpoint, latency, reason);
        }
    }
}
