using System.Buffers.Binary;

namespace Mesh.Coordinator.Log;

/// <summary>
/// The part of an event that is never sealed and never erased, in its one canonical form (big-endian):
/// <code>
///  0        1            9            17     19         20         28               44             76
///  +--------+------------+------------+------+----------+----------+----------------+--------------+
///  | version| position   | Unix ms    | kind | actor    | actor id | idempotency    | commitment   |
///  | 1      | 8          | 8          | 2    | kind 1   | 8        | key 16         | 32           |
///  +--------+------------+------------+------+----------+----------+----------------+--------------+
/// </code>
/// The commitment is SHA-256(salt ‖ sealed payload).
/// </summary>
public readonly record struct EventHeader(
    long Position, DateTimeOffset Time, EventKind Kind, Actor Actor, IdempotencyKey IdempotencyKey, Bytes32 Commitment)
{
    public const byte Version = 1;

    public const int Length = 76;

    private const long MaxUnixMilliseconds = 253_402_300_799_999;

    public byte[] Encode()
    {
        var bytes = new byte[Length];
        bytes[0] = Version;
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(1), Position);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(9), Time.ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(17), (ushort)Kind);
        bytes[19] = (byte)Actor.Kind;
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(20), Actor.Id);
        IdempotencyKey.CopyTo(bytes.AsSpan(28));
        Commitment.CopyTo(bytes.AsSpan(44));
        return bytes;
    }

    /// <summary>False for another length, version or an impossible time. Unknown kinds and actors are read: the chain covers them.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, out EventHeader header)
    {
        header = default;
        if (bytes.Length != Length || bytes[0] != Version)
            return false;
        var milliseconds = BinaryPrimitives.ReadInt64BigEndian(bytes[9..]);
        if (milliseconds is < 0 or > MaxUnixMilliseconds)
            return false;
        header = new EventHeader(
            BinaryPrimitives.ReadInt64BigEndian(bytes[1..]),
            DateTimeOffset.FromUnixTimeMilliseconds(milliseconds),
            (EventKind)BinaryPrimitives.ReadUInt16BigEndian(bytes[17..]),
            new Actor((ActorKind)bytes[19], BinaryPrimitives.ReadUInt64BigEndian(bytes[20..])),
            new IdempotencyKey(bytes.Slice(28, IdempotencyKey.Length)),
            new Bytes32(bytes.Slice(44, Bytes32.Length)));
        return true;
    }
}
