namespace Mesh.Coordinator.Network;

/// <summary>
/// A command that holds only as long as its sender's picture does: refused as <see cref="RefusalReason.Outdated"/> when someone
/// else changed what it is about. Looked at with each decision, so that nothing comes between the look and the change.
/// </summary>
/// <param name="holds">Depends on the state alone.</param>
public sealed class ConditionalCommand<TResult>(ICommand<TResult> command, Func<NetworkState, bool> holds) : ICommand<TResult>
{
    public Decision<TResult> Decide(NetworkState state, DecisionContext context) => holds(state)
        ? command.Decide(state, context)
        : throw new CommandRefusedException(
            RefusalReason.Outdated, "Someone else has changed this meanwhile; nothing was changed. Look at it again, and repeat.") { Field = "If-Match" };

    public TResult Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => command.Recall(state, events);
}
