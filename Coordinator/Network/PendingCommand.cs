using Google.Protobuf;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Network;

/// <summary>
/// A command on its way through the writer: decided (perhaps several times, as others come first), then settled once with what
/// the last decision said. Nobody hears of an outcome before everything that it was decided on is durable.
/// </summary>
internal abstract class PendingCommand(Actor actor, IdempotencyKey key)
{
    public Actor Actor { get; } = actor;

    public IdempotencyKey Key { get; } = key;

    /// <summary>The caller has left before the command was taken up.</summary>
    public abstract bool IsCancelled { get; }

    /// <summary>Decides, and remembers the outcome. A refusal is an outcome without events.</summary>
    public abstract IReadOnlyList<IMessage> Decide(NetworkState state, DecisionContext context);

    /// <summary>Remembers that the outcome is that of an earlier command.</summary>
    public abstract void Recall(NetworkState state, IReadOnlyList<NetworkEvent> events);

    /// <summary>Tells the state that the outcome is to be read from: with the command's own events, without later ones.</summary>
    public abstract void Folded(NetworkState state);

    /// <summary>Gives the caller the remembered outcome.</summary>
    public abstract void Settle();

    public abstract void Fail(Exception exception);
}

internal sealed class PendingCommand<TResult>(
    ICommand<TResult> command, Actor actor, IdempotencyKey key, CancellationToken cancellationToken) : PendingCommand(actor, key)
{
    // Continuations must not run on the writer's thread.
    private readonly TaskCompletionSource<TResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Decision<TResult>? _decision;
    private TResult? _result;
    private Exception? _exception;

    public Task<TResult> Task => _completion.Task;

    public override bool IsCancelled => cancellationToken.IsCancellationRequested;

    public override IReadOnlyList<IMessage> Decide(NetworkState state, DecisionContext context)
    {
        _exception = null;
        try
        {
            _decision = command.Decide(state, context);
            return _decision.Events;
        }
#pragma warning disable CA1031 // A command that throws must fail alone, not take the batch with it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _exception = e;
            return [];
        }
    }

    public override void Recall(NetworkState state, IReadOnlyList<NetworkEvent> events)
    {
        _decision = null;
        _exception = null;
        try
        {
            _result = command.Recall(state, events);
        }
        catch (CommandRefusedException e)
        {
            _exception = e;
        }
    }

    public override void Folded(NetworkState state)
    {
        if (_exception is null && _decision is not null)
            _result = _decision.Result(state);
    }

    public override void Settle()
    {
        if (_exception is not null)
            _completion.TrySetException(_exception);
        else
            _completion.TrySetResult(_result!);
    }

    public override void Fail(Exception exception) => _completion.TrySetException(exception);
}
