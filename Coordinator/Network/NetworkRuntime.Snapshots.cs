using Mesh.Coordinator.Log;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Network;

/// <summary>Snapshots of the state, written beside the log now and then, so that opening folds the log's end alone.</summary>
public sealed partial class NetworkRuntime
{
    private Task _snapshotting = Task.CompletedTask;
    private long _lastSnapshot;
    private int _erasing;

    /// <summary>
    /// The newest usable snapshot with enough of the log behind it for resumes and repeated commands. Null means to fold the
    /// whole log, whatever the reason.
    /// </summary>
    private static async Task<NetworkState?> ReadSnapshotAsync(EventLog log, RuntimeSizes sizes, ILogger logger)
    {
        if (await log.ReadHeadAsync().ConfigureAwait(false) is not { } head)
            return null;
        var reach = head.Point.Position - Math.Max(sizes.Commands, sizes.States);
        var (point, bytes) = await log.ReadSnapshotAsync(reach).ConfigureAwait(false);
        if (point == LogPoint.Start)
            return null;
        if (bytes is not null && StateSnapshots.TryDecode(bytes, point) is { } state && state.Id == log.Network)
            return state;
        SnapshotUnusable(logger, log.Network.ToString(), point.Position);
        return null;
    }

    /// <summary>On the writer's thread.</summary>
    private void SnapshotIfDue(NetworkState state)
    {
        var interval = Math.Max(_sizes.SnapshotInterval, state.Nodes.Count + state.PreAuthKeys.Count);
        if (state.Position - _lastSnapshot < interval || !_snapshotting.IsCompleted || Volatile.Read(ref _erasing) != 0)
            return;
        _lastSnapshot = state.Position;
        _snapshotting = Task.Run(() => WriteSnapshotAsync(state));
    }

    private async Task WriteSnapshotAsync(NetworkState state)
    {
        try
        {
            await _log.WriteSnapshotAsync(state.Point, StateSnapshots.Encode(state)).ConfigureAwait(false);
        }
        catch (LogStoreException e) when (e.IsTransient)
        {
            SnapshotRefused(_logger, Name, state.Position, e);
        }
#pragma warning disable CA1031 // As with an append: after a failing disk nobody knows what is durable.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _queue.Writer.TryComplete(e);
        }
    }

    [LoggerMessage(EventId = 2005, Level = LogLevel.Warning, Message = "Network {Network}: the snapshot of the log at position {Position} is damaged or of another version; the whole log was read instead")]
    private static partial void SnapshotUnusable(ILogger logger, string network, long position);

    [LoggerMessage(EventId = 2006, Level = LogLevel.Warning, Message = "Network {Network}: no snapshot could be written at position {Position}; the next one will be")]
    private static partial void SnapshotRefused(ILogger logger, string network, long position, Exception exception);
}
