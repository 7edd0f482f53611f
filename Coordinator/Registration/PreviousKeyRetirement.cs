using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Network.Events;
using Mesh.Crypto;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Registration;

/// <summary>
/// Ends rotations: a node's previous key is answered beside the new one until the node says that it needs it no longer (which it
/// does once <see cref="Acknowledged"/>), or for five minutes, and then retired by a command. A rotation found under way at start
/// gets its five minutes anew, since peers may have been without us.
/// </summary>
internal sealed partial class PreviousKeyRetirement(TimeProvider clock, ILogger<PreviousKeyRetirement> log) : IDisposable
{
    public static readonly TimeSpan Overlap = ControlLimits.PreviousKeyOverlap;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<(NetworkHost Network, ulong NodeId), (X25519PublicKey Key, DateTimeOffset Due, long Position)> _due = [];
    private ITimer? _timer;

    /// <summary>Takes up a network's rotations from now on.</summary>
    public void Watch(NetworkHost network)
    {
        network.Runtime.StateChanged += change =>
        {
            foreach (var e in change.Events)
                if (e.Payload is NodeKeyChanged { KeepPrevious: true } changed) Note(network, changed.Id, change.After, e.Header.Position);
        };
        var state = network.Runtime.State;
        foreach (var node in state.Nodes.Values)
            if (node.PreviousNodeKey is not null) Note(network, node.Id, state, state.Position);
        lock (_lock) _timer ??= clock.CreateTimer(_ => Retire(), null, Interval, Interval);
    }

    /// <summary>When the previous key of a node ends at the latest; null when no rotation is under way.</summary>
    public DateTimeOffset? DueFor(NetworkHost network, ulong nodeId)
    {
        lock (_lock) return Find(network, nodeId)?.Due;
    }

    /// <summary>Whether every peer that is online has the node's new key; also when no rotation is under way.</summary>
    public bool Acknowledged(NetworkHost network, ulong nodeId)
    {
        long? position;
        lock (_lock) position = Find(network, nodeId)?.Position;
        return position is null || network.Hub.HaveApplied(nodeId, position.Value);
    }

    public void Dispose()
    {
        lock (_lock) _timer?.Dispose();
    }

    // Under the lock.
    private (X25519PublicKey Key, DateTimeOffset Due, long Position)? Find(NetworkHost network, ulong nodeId) =>
        network.Runtime.State.FindNode(nodeId)?.PreviousNodeKey is { } previous && _due.TryGetValue((network, nodeId), out var entry) && entry.Key == previous
            ? entry
            : null;

    private void Note(NetworkHost network, ulong nodeId, NetworkState state, long position)
    {
        if (state.FindNode(nodeId)?.PreviousNodeKey is not { } previous) return;
        lock (_lock) _due[(network, nodeId)] = (previous, clock.GetUtcNow() + Overlap, position);
    }

    private void Retire()
    {
        List<(NetworkHost Network, ulong NodeId, X25519PublicKey Key)> over = [];
        lock (_lock)
        {
            var now = clock.GetUtcNow();
            foreach (var ((network, nodeId), (key, due, _)) in _due)
                if (due <= now) over.Add((network, nodeId, key));
            foreach (var (network, nodeId, _) in over) _due.Remove((network, nodeId));
        }
        foreach (var (network, nodeId, key) in over) _ = RetireAsync(network, nodeId, key);
    }

    private async Task RetireAsync(NetworkHost network, ulong nodeId, X25519PublicKey key)
    {
        try
        {
            await network.Runtime.ExecuteAsync(new RetirePreviousNodeKey(nodeId, key), Actor.System, IdempotencyKey.None);
        }
        catch (CommandRefusedException)
        {
            // The node is gone, and its keys with it.
        }
        catch (ObjectDisposedException)
        {
            // We are stopping; the next start takes it up.
        }
        catch (LogStoreException e)
        {
            LogNotRetired(log, nodeId, e.Message);
            lock (_lock) _due.TryAdd((network, nodeId), (key, clock.GetUtcNow() + Interval, network.Runtime.State.Position));
        }
    }

    [LoggerMessage(EventId = 1201, Level = LogLevel.Warning, Message = "The previous key of node {NodeId} could not be retired yet: {Reason}")]
    private static partial void LogNotRetired(ILogger logger, ulong nodeId, string reason);
}
