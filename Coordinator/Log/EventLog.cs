using System.Runtime.CompilerServices;

namespace Mesh.Coordinator.Log;

/// <summary>
/// One network's log over any store: chains, salts, seals and signs on the way in, checks and unseals on the way out. Knows
/// nothing of what events mean. Owns its store and sealer. Reads may run beside an append; appends come one at a time.
/// </summary>
public sealed class EventLog(IEventStore store, PayloadSealer sealer, ILogSigner signer) : IAsyncDisposable
{
    public NetworkId Network => store.Network;

    /// <summary>Starts a batch of events after a point.</summary>
    public LogBatch Begin(LogPoint after) => new(store.Network, after, sealer);

    /// <summary>
    /// Makes a batch durable in one step and returns the head that is signed for its end; null when the log goes on
    /// differently after the batch's start, in which case nothing changed.
    /// </summary>
    /// <param name="batch">With at least one event.</param>
    public async ValueTask<SignedHead?> AppendAsync(LogBatch batch)
    {
        var head = signer.Sign(store.Network, batch.End);
        return await store.AppendAsync(batch.Start, batch.Rows, head).ConfigureAwait(false) ? head : null;
    }

    /// <summary>
    /// The events after a point, each checked against the chain. Throws <see cref="LogStoreFault.Damaged"/> where the chain
    /// breaks and <see cref="LogStoreFault.DataKey"/> where a payload does not unseal.
    /// </summary>
    public async IAsyncEnumerable<LogEntry> ReadAfterAsync(
        LogPoint after, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var point = after;
        await foreach (var row in store.ReadAfterAsync(after.Position, cancellationToken).ConfigureAwait(false))
        {
            var problem = LogRowCheck.Check(row, point, out var header);
            if (problem is not LogProblemKind.None)
                throw Damaged(point.Position + 1, problem);
            byte[]? payload = null;
            if (row.SealedPayload is not null)
            {
                payload = sealer.Open(row.Position, header.Kind, row.SealedPayload)
                    ?? throw new LogStoreException(
                        LogStoreFault.DataKey,
                        $"The event at position {row.Position} does not open under this network's data key. " +
                        "Put back the data key that belongs to this log.");
            }

            var entry = new LogEntry(header, row.Hash, payload);
            point = entry.Point;
            yield return entry;
        }
    }

    /// <summary>Keeps the state at a point of the log, if the store keeps snapshots.</summary>
    /// <param name="state">Encoded, not sealed.</param>
    public ValueTask WriteSnapshotAsync(LogPoint point, byte[] state)
    {
        if (store is not ISnapshotStore snapshots)
            return ValueTask.CompletedTask;
        var sealedState = sealer.Seal(point.Position, SignedSnapshot.SealingKind, state);
        return snapshots.WriteSnapshotAsync(signer.Sign(store.Network, point, sealedState));
    }

    /// <summary>
    /// The newest state that is kept for a position or before it. <see cref="LogPoint.Start"/> for none; null instead of the
    /// bytes when it is not what this signer's key signed.
    /// </summary>
    public async ValueTask<(LogPoint Point, byte[]? State)> ReadSnapshotAsync(long atOrBefore)
    {
        if (store is not ISnapshotStore snapshots || atOrBefore <= 0
            || await snapshots.ReadSnapshotAsync(atOrBefore).ConfigureAwait(false) is not { } snapshot)
            return (LogPoint.Start, null);
        return (snapshot.Point, signer.HasSigned(store.Network, snapshot)
            ? sealer.Open(snapshot.Point.Position, SignedSnapshot.SealingKind, snapshot.SealedState)
            : null);
    }

    /// <inheritdoc cref="IEventStore.EraseAsync"/>
    public ValueTask EraseAsync(IReadOnlyList<long> positions) => store.EraseAsync(positions);

    public ValueTask<SignedHead?> ReadHeadAsync() => store.ReadHeadAsync();

    /// <inheritdoc cref="IEventStore.OnAppended"/>
    public IDisposable OnAppended(Action<long> callback) => store.OnAppended(callback);

    public async ValueTask DisposeAsync()
    {
        await store.DisposeAsync().ConfigureAwait(false);
        sealer.Dispose();
    }

    private static LogStoreException Damaged(long position, LogProblemKind problem) => new(
        LogStoreFault.Damaged,
        $"The log is damaged at position {position} ({problem}). Restore it from a backup; " +
        "`mesh-coordinator log verify` lists everything that is wrong.");
}
