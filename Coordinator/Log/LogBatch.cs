using System.Security.Cryptography;

namespace Mesh.Coordinator.Log;

/// <summary>
/// Events that are chained and sealed but not stored yet, so that a later one can be decided with the earlier ones in
/// sight. Not thread-safe.
/// </summary>
public sealed class LogBatch
{
    private readonly PayloadSealer _sealer;
    private readonly List<EventRow> _rows = [];

    internal LogBatch(NetworkId network, LogPoint start, PayloadSealer sealer)
    {
        Network = network;
        Start = start;
        _sealer = sealer;
    }

    public NetworkId Network { get; }

    /// <summary>The point that the batch goes on from.</summary>
    public LogPoint Start { get; }

    public LogPoint End => _rows.Count == 0 ? Start : new LogPoint(_rows[^1].Position, _rows[^1].Hash);

    public int Count => _rows.Count;

    internal IReadOnlyList<EventRow> Rows => _rows;

    public LogEntry Add(EventDraft draft)
    {
        var previous = End;
        var position = previous.Position + 1;
        var salt = RandomNumberGenerator.GetBytes(EventRow.SaltLength);
        var sealedPayload = _sealer.Seal(position, draft.Kind, draft.Payload);
        var header = new EventHeader(
            position, draft.Time, draft.Kind, draft.Actor, draft.IdempotencyKey, LogChain.Commit(salt, sealedPayload));
        var encoded = header.Encode();
        var hash = LogChain.Next(previous.Hash, encoded);
        _rows.Add(new EventRow(position, encoded, previous.Hash, hash, salt, sealedPayload));
        return new LogEntry(header, hash, draft.Payload);
    }

    /// <summary>Takes back every event after the first <paramref name="count"/>.</summary>
    public void Truncate(int count) => _rows.RemoveRange(count, _rows.Count - count);
}
