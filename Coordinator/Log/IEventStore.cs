namespace Mesh.Coordinator.Log;

/// <summary>
/// Where one network's log is kept: append after a point, or learn that someone was first; read after a position; be told of
/// new positions. Several writers may share a store. Failures are <see cref="LogStoreException"/>s.
/// </summary>
public interface IEventStore : IAsyncDisposable
{
    NetworkId Network { get; }

    /// <summary>
    /// Appends rows and a head at once, or nothing. Completes with true once they are durable; with false when the log's last
    /// event is not <paramref name="after"/>, in which case nothing changed.
    /// </summary>
    /// <param name="after">The point that the writer believes to be the log's last.</param>
    /// <param name="rows">At least one, chained from <paramref name="after"/>.</param>
    /// <param name="head">For the last row.</param>
    ValueTask<bool> AppendAsync(LogPoint after, IReadOnlyList<EventRow> rows, SignedHead head);

    /// <summary>Events with a higher position, in order. Those appended while the caller reads may or may not be among them.</summary>
    IAsyncEnumerable<EventRow> ReadAfterAsync(long position, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes the payloads and salts of events for good; their headers stay, so that the chain still verifies. Snapshots that
    /// were made with them go too. Positions that are erased already, or that nobody wrote, are passed over. Durable when it
    /// completes.
    /// </summary>
    ValueTask EraseAsync(IReadOnlyList<long> positions);

    /// <summary>The newest head, or null for an empty log.</summary>
    ValueTask<SignedHead?> ReadHeadAsync();

    /// <summary>
    /// Calls back with the log's last position after someone else may have appended. Calls may be late, spurious or merged, come on any thread, and
    /// must return at once. Disposing of the result ends them.
    /// </summary>
    IDisposable OnAppended(Action<long> callback);
}
