using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Network;

/// <summary>
/// What time does to a network's nodes, as commands: authorisations end, and ephemeral nodes that stay away are deleted.
/// Absence is counted on the monotonic clock from when a node was last seen in this life of the coordinator, or from its
/// start: so neither an outage of ours nor a clock that jumps deletes anybody.
/// </summary>
internal sealed partial class NodeLifecycle : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    /// <summary>Commands of one sweep; the next one goes on.</summary>
    private const int MaxCommands = 512;

    private readonly NetworkRuntime _network;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private int _sweeping;

    public NodeLifecycle(NetworkRuntime network, TimeProvider time, ILogger logger)
    {
        (_network, _time, _logger) = (network, time, logger);
        network.StateChanged += NoteRegistrations;
        _timer = time.CreateTimer(_ => _ = SweepAsync(), null, Interval, Interval);
    }

    /// <summary>
    /// To be called before a node's poll or report is taken up: notes that it is there. Throws
    /// <see cref="CommandRefusedException"/> when it has just been deleted.
    /// </summary>
    public async ValueTask SightAsync(Node node)
    {
        if (node.Ephemeral && _network.Presence.AbsentFor(node.Id) > NetworkLimits.SightingsLoggedAfter)
            await _network.ExecuteAsync(new SightNode(node.Id), Actor.Node(node.Id), IdempotencyKey.None).ConfigureAwait(false);
        _network.Presence.Seen(node.Id);
    }

    public void Dispose()
    {
        _timer.Dispose();
        _network.StateChanged -= NoteRegistrations;
    }

    /// <summary>Runs every command that is due. A sweep that is still under way is not joined by another.</summary>
    internal async Task SweepAsync()
    {
        if (Interlocked.Exchange(ref _sweeping, 1) != 0)
            return;
        try
        {
            await Task.WhenAll(DueNow().Take(MaxCommands)
                .Select(command => _network.ExecuteAsync(command, Actor.System, IdempotencyKey.None).AsTask())).ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            // We are stopping.
        }
        catch (LogStoreException e)
        {
            SweepFailed(_logger, _network.Name, e.Message);
        }
        finally
        {
            Volatile.Write(ref _sweeping, 0);
        }
    }

    private IEnumerable<ICommand<Done>> DueNow()
    {
        var now = _time.GetUtcNow();
        foreach (var node in _network.State.Nodes.Values)
        {
            if (node.Ephemeral && _network.Presence.AbsentFor(node.Id) >= NetworkLimits.EphemeralAbsence)
                yield return new DeleteAbsentNode(node.Id, node.SightedAt);
            else if (!node.Expired && node.ExpiresAt <= now)
                yield return new NoteExpiry(node.Id);
        }
    }

    private void NoteRegistrations(StateChange change)
    {
        foreach (var e in change.Events)
        {
            if (e.Payload is NodeRegistered registered)
                _network.Presence.Seen(registered.Id);
            else if (e.Payload is NodeReauthorized returned)
                _network.Presence.Seen(returned.Id);
        }
    }

    [LoggerMessage(EventId = 2101, Level = LogLevel.Warning, Message = "Network {Network}: expired and absent nodes could not be seen to for now: {Reason}")]
    private static partial void SweepFailed(ILogger logger, string network, string reason);
}
