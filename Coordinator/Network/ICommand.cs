using Google.Protobuf;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Network;

/// <summary>
/// A change that someone wants. Decided against the newest state, and again when someone else's events came first: so a
/// decision must depend on nothing but its arguments and the command.
/// </summary>
/// <typeparam name="TResult">What the caller learns once the change is durable.</typeparam>
public interface ICommand<TResult>
{
    /// <summary>Throws <see cref="CommandRefusedException"/> when the state does not allow the change.</summary>
    Decision<TResult> Decide(NetworkState state, DecisionContext context);

    /// <summary>
    /// The result for a caller who repeats a command that was done: what <see cref="Decide"/>'s result was, as far as it is
    /// not secret.
    /// </summary>
    /// <param name="state">The newest state.</param>
    /// <param name="events">What the command appended the first time.</param>
    TResult Recall(NetworkState state, IReadOnlyList<NetworkEvent> events);
}

/// <summary>What a decision may know beside the state.</summary>
public readonly record struct DecisionContext(DateTimeOffset Now, Actor Actor);

/// <summary>A decided change.</summary>
/// <param name="Events">Messages of events.proto; none when there is nothing to change.</param>
/// <param name="Result">Called with the state that has the events folded in, once they are durable.</param>
public sealed record Decision<TResult>(IReadOnlyList<IMessage> Events, Func<NetworkState, TResult> Result);

/// <summary>The result of a command that has nothing to tell.</summary>
public readonly record struct Done;
