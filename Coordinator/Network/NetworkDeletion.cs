using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;

namespace Mesh.Coordinator.Network;

/// <summary>
/// Deletes the network: no node is served from now on, and everything of it is removed when the grace is over. Until then
/// <see cref="KeepNetwork"/> takes it back.
/// </summary>
public sealed record DeleteNetwork(TimeSpan Grace) : ICommand<NetworkState>
{
    public Decision<NetworkState> Decide(NetworkState state, DecisionContext context)
    {
        if (Grace < TimeSpan.Zero || Grace > NetworkLimits.MaxNetworkGrace)
            throw NetworkValues.Invalid($"The grace is from 0 to {NetworkLimits.MaxNetworkGrace.TotalDays} days.");
        return new([new NetworkDeletionScheduled { PurgeAtMs = (context.Now + Grace).ToUnixTimeMilliseconds() }], after => after);
    }

    public NetworkState Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => state;
}

/// <summary>Takes a deletion back while its grace lasts.</summary>
public sealed record KeepNetwork : ICommand<NetworkState>
{
    public Decision<NetworkState> Decide(NetworkState state, DecisionContext context)
    {
        if (state.PurgeAt is null)
            throw new CommandRefusedException(RefusalReason.NetworkDeleted, $"Network {state.Name} is not deleted.");
        return new([new NetworkDeletionCancelled()], after => after);
    }

    public NetworkState Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => state;
}
