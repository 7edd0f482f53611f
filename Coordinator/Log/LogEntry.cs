namespace Mesh.Coordinator.Log;

/// <summary>An event about to be appended.</summary>
/// <param name="Payload">Encoded, not sealed.</param>
public sealed record EventDraft(EventKind Kind, byte[] Payload, Actor Actor, IdempotencyKey IdempotencyKey, DateTimeOffset Time);

/// <summary>An event of the log, unsealed.</summary>
/// <param name="Hash">The chain's hash with this event.</param>
/// <param name="Payload">Null once erased.</param>
public sealed record LogEntry(EventHeader Header, Bytes32 Hash, byte[]? Payload)
{
    public LogPoint Point => new(Header.Position, Hash);
}
