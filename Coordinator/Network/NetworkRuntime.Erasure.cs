using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Network;

public sealed partial class NetworkRuntime
{
    /// <summary>
    /// Erases for good what the log says of a user who was deleted: his names and labels, keys made for him, his nodes, and policies of the past that name him. The chain
    /// still verifies. Returns the positions. Backups made before keep what they hold.
    /// </summary>
    public async Task<IReadOnlyList<long>> EraseUserAsync(string user, Actor actor, IdempotencyKey key, CancellationToken cancellationToken)
    {
        if (user.Length == 0)
            throw NetworkValues.Invalid("A user's name is not empty.", "user");
        user = user.ToLowerInvariant();
        var data = await PersonalData.OfUserAsync(this, user, cancellationToken).ConfigureAwait(false);
        if (data.IsEmpty && State.FindUser(user) is not null)
        {
            throw new CommandRefusedException(
                RefusalReason.StillInUse, $"User {user} is in the network. Delete the user first ('mesh-coordinator users delete').");
        }

        if (data.AreNamedByPolicy(State))
        {
            throw new CommandRefusedException(
                RefusalReason.StillInUse, $"The policy names {user}. Set one that does not first ('mesh-coordinator policy set').");
        }

        return await EraseAsync(data.ToCommand(), actor, key).ConfigureAwait(false);
    }

    /// <summary>As <see cref="EraseUserAsync"/>, for one node that was deleted.</summary>
    public async Task<IReadOnlyList<long>> EraseNodeAsync(ulong nodeId, Actor actor, IdempotencyKey key, CancellationToken cancellationToken)
    {
        if (State.FindNode(nodeId) is { } node)
        {
            throw new CommandRefusedException(
                RefusalReason.StillInUse, $"Node {node.Name} is still in the network. Delete it first ('mesh-coordinator nodes delete').");
        }

        var data = await PersonalData.OfNodeAsync(this, nodeId, cancellationToken).ConfigureAwait(false);
        return await EraseAsync(data.ToCommand(), actor, key).ConfigureAwait(false);
    }

    /// <summary>
    /// 1 says so in the log, 2 erases. A crash between the two is made up for by the next start, which reads the event: no
    /// snapshot goes past it before 2 is done.
    /// </summary>
    private async Task<IReadOnlyList<long>> EraseAsync(EraseData command, Actor actor, IdempotencyKey key)
    {
        Interlocked.Increment(ref _erasing);
        try
        {
            var positions = await ExecuteAsync(command, actor, key).ConfigureAwait(false);
            await _snapshotting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // Of a state before; it is erased with the rest.
            if (positions.Count > 0)
                await _log.EraseAsync(positions).ConfigureAwait(false);
            return positions;
        }
        finally
        {
            Interlocked.Decrement(ref _erasing);
        }
    }
}
