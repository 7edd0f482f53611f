using System.Collections.Concurrent;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Trust;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Map;

/// <summary>
/// Listens to what nodes remember of a log. A head that we signed and that this log does not contain means that the log was
/// restored from a backup, or forked. Said once for each node, and only for heads whose signature holds, so that nobody can
/// fill the log with claims.
/// </summary>
internal sealed partial class ForkWatch(ILogger<ForkWatch> log)
{
    private readonly ConcurrentDictionary<(NetworkHost, ulong), bool> _told = new();

    /// <summary>A node's known head, as it opens a poll.</summary>
    public void Check(NetworkHost network, ulong nodeId, LogHead known, CoordinatorKeys keys)
    {
        var state = network.Runtime.State;
        long position = (long)known.Position;
        bool ahead = position > state.Position;
        bool differs = position == state.Position && new Bytes32(known.Hash.Span) != state.Point.Hash;
        if ((!ahead && !differs) || _told.ContainsKey((network, nodeId)) || !IsOurs(network, known, keys)) return;
        if (_told.TryAdd((network, nodeId), true)) LogUnknownHead(log, network.Runtime.Name, nodeId, position, state.Position);
    }

    /// <summary>Two heads that a node holds to be of two logs.</summary>
    public void Report(NetworkHost network, ulong nodeId, ForkEvidence fork, CoordinatorKeys keys)
    {
        if (_told.ContainsKey((network, nodeId)) || !IsOurs(network, fork.Remembered, keys) || !IsOurs(network, fork.Received, keys)) return;
        if (_told.TryAdd((network, nodeId), true))
            LogFork(log, network.Runtime.Name, nodeId, fork.Remembered.Position, fork.Received.Position);
    }

    private static bool IsOurs(NetworkHost network, LogHead head, CoordinatorKeys keys) =>
        keys.AllRoots.Any(root => LogHeads.Verify(head, network.Runtime.Id.ToArray(), root) == LogHeadVerdict.Valid);

    [LoggerMessage(EventId = 1301, Level = LogLevel.Warning,
        Message = "Node {NodeId} of network {Network} remembers a signed head at position {Remembered} that this log (at {Position}) does not contain: was it restored from a backup?")]
    private static partial void LogUnknownHead(ILogger logger, string network, ulong nodeId, long remembered, long position);

    [LoggerMessage(EventId = 1302, Level = LogLevel.Critical,
        Message = "Node {NodeId} of network {Network} holds two signed heads (positions {Remembered} and {Received}) that it takes for a fork of the log; run 'mesh-coordinator log verify'")]
    private static partial void LogFork(ILogger logger, string network, ulong nodeId, ulong remembered, ulong received);
}
