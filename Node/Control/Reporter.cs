using System.Threading.Channels;
using Google.Protobuf;
using Mesh.Node.Udp;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Node.Control;

/// <param name="Endpoints">Best first, at most <see cref="ControlLimits.EndpointsPerNode"/>.</param>
internal sealed record NodeReport(IReadOnlyList<(UdpEndpoint Endpoint, EndpointSource Source)> Endpoints, int ListenPort);

/// <summary>Sends what the node has to say of itself: after each connect, when it changes, and when the log forked.</summary>
internal sealed partial class Reporter(
    ControlClient client, ByteString bootId, HeadMemory heads, TimeProvider time, Backoff backoff, ILogger log)
{
    // Holds at most one token: any number of changes while a report is under way make one more report.
    private readonly Channel<bool> _pokes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ILogger _log = log;
    private NodeReport? _report;
    private ulong _applied;

    public void Set(NodeReport report)
    {
        Volatile.Write(ref _report, report);
        Poke();
    }

    /// <summary>From now on reports say that the map of a position is applied and kept.</summary>
    public void Applied(ulong position)
    {
        Volatile.Write(ref _applied, position);
        Poke();
    }

    /// <summary>Report again, soon.</summary>
    public void Poke() => _pokes.Writer.TryWrite(true);

    public async Task RunAsync(CancellationToken cancel)
    {
        await foreach (bool _ in _pokes.Reader.ReadAllAsync(cancel).ConfigureAwait(false))
        {
            if (Volatile.Read(ref _report) is not { } report) continue;
            var fork = heads.Evidence;
            try
            {
                await client.ReportAsync(ToRequest(report, fork), cancel).ConfigureAwait(false);
                backoff.Reset();
                if (fork is not null) heads.EvidenceReported(fork);
            }
            catch (ControlException e) when (e.Failure == ControlFailure.Refused && e.ProblemType != ProblemType.Busy)
            {
                // Again at the next connect; the poll deals with what the refusal means.
                LogRefused(e.Message);
            }
            catch (ControlException)
            {
                await Task.Delay(backoff.Next(), time, cancel).ConfigureAwait(false);
                Poke();
            }
        }
    }

    private ReportRequest ToRequest(NodeReport report, ForkEvidence? fork)
    {
        var request = new ReportRequest
        {
            Header = client.Header(),
            BootId = bootId,
            ListenPort = (uint)report.ListenPort,
            Host = Registrar.DescribeHost(),
            Fork = fork,
            AppliedPosition = Volatile.Read(ref _applied),
        };
        foreach (var (endpoint, source) in report.Endpoints.Take(ControlLimits.EndpointsPerNode))
            request.Endpoints.Add(WireEndpoint.ToWire(endpoint, source));
        return request;
    }

    [LoggerMessage(EventId = 2020, Level = LogLevel.Warning, Message = "Report refused: {Reason}")]
    private partial void LogRefused(string reason);
}
