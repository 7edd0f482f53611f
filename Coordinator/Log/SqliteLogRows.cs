using Microsoft.Data.Sqlite;

namespace Mesh.Coordinator.Log;

/// <summary>Reads rows of a log's file without trust in their types and lengths.</summary>
internal static class SqliteLogRows
{
    /// <summary>At most so many events from a position on, in order; null for a row that is not one.</summary>
    public static List<EventRow?> ReadEvents(SqliteConnection connection, long from, int limit)
    {
        using var command = connection.CreateCommand();
        command.CommandText =
            "SELECT position, header, previous_hash, hash, salt, payload FROM events WHERE position >= $1 ORDER BY position LIMIT $2";
        command.Parameters.AddWithValue("$1", from);
        command.Parameters.AddWithValue("$2", limit);
        using var reader = command.ExecuteReader();
        var rows = new List<EventRow?>();
        while (reader.Read())
            rows.Add(ReadEvent(reader));
        return rows;
    }

    /// <summary>At most so many heads from a position on, in order; null for a row that is not one.</summary>
    public static List<SignedHead?> ReadHeads(SqliteConnection connection, long from, int limit)
    {
        using var command = connection.CreateCommand();
        command.CommandText = HeadColumns + "WHERE heads.position >= $1 ORDER BY heads.position LIMIT $2";
        command.Parameters.AddWithValue("$1", from);
        command.Parameters.AddWithValue("$2", limit);
        using var reader = command.ExecuteReader();
        var heads = new List<SignedHead?>();
        while (reader.Read())
            heads.Add(ReadHead(reader));
        return heads;
    }

    public static SignedHead? ReadNewestHead(SqliteConnection connection, string path)
    {
        using var command = connection.CreateCommand();
        command.CommandText = HeadColumns + "ORDER BY heads.position DESC LIMIT 1";
        using var reader = command.ExecuteReader();
        if (!reader.Read())
            return null;
        return ReadHead(reader) ?? throw new LogStoreException(
            LogStoreFault.Damaged, $"The newest signed head of the log {path} is not readable. Restore it from a backup.");
    }

    /// <summary>The newest snapshot at a position or before it; null for none, and for a row that is not one.</summary>
    public static SignedSnapshot? ReadSnapshot(SqliteConnection connection, long atOrBefore)
    {
        using var command = connection.CreateCommand();
        command.CommandText =
            "SELECT snapshots.position, snapshots.hash, snapshots.signature, log_keys.certificate, snapshots.state " +
            "FROM snapshots LEFT JOIN log_keys ON log_keys.number = snapshots.log_key " +
            "WHERE snapshots.position <= $1 ORDER BY snapshots.position DESC LIMIT 1";
        command.Parameters.AddWithValue("$1", atOrBefore);
        using var reader = command.ExecuteReader();
        return reader.Read() && ReadHead(reader) is { } signed && reader.GetValue(4) is byte[] state
            ? new SignedSnapshot(signed.Point, state, signed.Signature, signed.Certificate)
            : null;
    }

    private const string HeadColumns =
        "SELECT heads.position, heads.hash, heads.signature, log_keys.certificate " +
        "FROM heads LEFT JOIN log_keys ON log_keys.number = heads.log_key ";

    private static EventRow? ReadEvent(SqliteDataReader reader)
    {
        if (reader.GetValue(0) is not long position || reader.GetValue(1) is not byte[] header
            || reader.GetValue(2) is not byte[] { Length: Bytes32.Length } previous
            || reader.GetValue(3) is not byte[] { Length: Bytes32.Length } hash
            || !TryReadOptional(reader.GetValue(4), out var salt) || !TryReadOptional(reader.GetValue(5), out var payload))
            return null;
        return new EventRow(position, header, new Bytes32(previous), new Bytes32(hash), salt, payload);
    }

    private static SignedHead? ReadHead(SqliteDataReader reader)
    {
        if (reader.GetValue(0) is not long position || reader.GetValue(1) is not byte[] { Length: Bytes32.Length } hash
            || reader.GetValue(2) is not byte[] signature || reader.GetValue(3) is not byte[] certificate)
            return null;
        return new SignedHead(new LogPoint(position, new Bytes32(hash)), signature, certificate);
    }

    private static bool TryReadOptional(object value, out byte[]? bytes)
    {
        bytes = value as byte[];
        return bytes is not null || value is DBNull;
    }
}
