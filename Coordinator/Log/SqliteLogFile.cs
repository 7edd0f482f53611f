using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Mesh.Coordinator.Log;

/// <summary>
/// The form of a log's SQLite file, and how it is opened. Version 1:
/// <code>
/// network   id                                        one row
/// log_keys  number, certificate                       every log key that signed a head
/// events    position, header, previous_hash, hash, salt, payload
/// heads     position, hash, signature, log_key        one for each append
/// snapshots position, hash, state, signature, log_key the newest few
/// </code>
/// </summary>
internal static class SqliteLogFile
{
    /// <summary>"MESH", in the file's header, so that tools and we know the file.</summary>
    private const int ApplicationId = 0x4D455348;

    private const int SchemaVersion = 1;

    /// <summary>How long a call waits for another writer's lock.</summary>
    public static readonly TimeSpan LockWait = TimeSpan.FromSeconds(5);

    private const string Schema = """
        CREATE TABLE network (id BLOB NOT NULL) STRICT;
        CREATE TABLE log_keys (number INTEGER PRIMARY KEY, certificate BLOB NOT NULL UNIQUE) STRICT;
        CREATE TABLE events (
            position INTEGER PRIMARY KEY,
            header BLOB NOT NULL,
            previous_hash BLOB NOT NULL,
            hash BLOB NOT NULL,
            salt BLOB,
            payload BLOB) STRICT;
        CREATE TABLE heads (
            position INTEGER PRIMARY KEY,
            hash BLOB NOT NULL,
            signature BLOB NOT NULL,
            log_key INTEGER NOT NULL REFERENCES log_keys (number)) STRICT;
        CREATE TABLE snapshots (
            position INTEGER PRIMARY KEY,
            hash BLOB NOT NULL,
            state BLOB NOT NULL,
            signature BLOB NOT NULL,
            log_key INTEGER NOT NULL REFERENCES log_keys (number)) STRICT;
        """;

    /// <summary>Makes an empty log. The file must not exist. Its directory entry is the caller's to sync.</summary>
    public static void Create(string path, NetworkId network) => SqliteFaults.Translate(path, () =>
    {
        DurableFile.Create(path, []); // Before SQLite makes it, with its own idea of a mode. The log files beside it follow.
        using var connection = Connect(path, SqliteOpenMode.ReadWrite, LockWait);
        Execute(connection, "PRAGMA journal_mode = WAL");
        Execute(connection, "PRAGMA synchronous = FULL");
        Execute(connection, "BEGIN IMMEDIATE");
        Execute(connection, Schema);
        using (var insert = connection.CreateCommand())
        {
            insert.CommandText = "INSERT INTO network (id) VALUES ($id)";
            insert.Parameters.AddWithValue("$id", network.ToArray());
            insert.ExecuteNonQuery();
        }

        Execute(connection, string.Create(CultureInfo.InvariantCulture, $"PRAGMA application_id = {ApplicationId}"));
        Execute(connection, string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version = {SchemaVersion}"));
        Execute(connection, "COMMIT");
    });

    /// <summary>Opens a log to write, and to read what others write. The caller translates later faults.</summary>
    public static SqliteConnection Open(string path, TimeSpan lockWait, out NetworkId network)
    {
        NetworkId id = default;
        var result = SqliteFaults.Translate(path, () =>
        {
            if (!File.Exists(path))
                throw new LogStoreException(LogStoreFault.NotFound, $"There is no log at {path}.");
            var connection = Connect(path, SqliteOpenMode.ReadWrite, lockWait);
            try
            {
                id = ReadIdentity(connection, path);
                Execute(connection, "PRAGMA journal_mode = WAL"); // A copy that came from a backup is not.
                Execute(connection, "PRAGMA synchronous = FULL");
                Execute(connection, "PRAGMA secure_delete = ON"); // What is erased is overwritten.
                return connection;
            }
            catch
            {
                connection.Dispose();
                throw;
            }
        });
        network = id;
        return result;
    }

    /// <summary>
    /// Opens a log only to read it. A file without a write-ahead log beside it (a copy, or one that was closed well) is not
    /// touched at all, so it may lie on read-only media.
    /// </summary>
    public static SqliteConnection OpenReadOnly(string path)
    {
        if (!File.Exists(path))
            throw new LogStoreException(LogStoreFault.NotFound, $"There is no log at {path}.");
        return File.Exists(path + "-wal")
            ? Connect(path, SqliteOpenMode.ReadOnly, LockWait)
            : Connect($"file:{Uri.EscapeDataString(Path.GetFullPath(path))}?immutable=1", SqliteOpenMode.ReadOnly, LockWait);
    }

    /// <summary>The network that the file belongs to. Throws <see cref="LogStoreException"/> when it is no log, or too new a one.</summary>
    public static NetworkId ReadIdentity(SqliteConnection connection, string path)
    {
        if (ReadInteger(connection, "PRAGMA application_id") != ApplicationId)
            throw new LogStoreException(LogStoreFault.Damaged, $"{path} is not a network's log. Restore it from a backup.");
        var version = ReadInteger(connection, "PRAGMA user_version");
        if (version > SchemaVersion)
        {
            throw new LogStoreException(
                LogStoreFault.TooNew, $"{path} was written by a newer version (format {version}). Start that version again.");
        }

        using var command = connection.CreateCommand();
        command.CommandText = "SELECT id FROM network";
        using var reader = command.ExecuteReader();
        return reader.Read() && reader.GetValue(0) is byte[] { Length: NetworkId.Length } id && !reader.Read()
            ? new NetworkId(id)
            : throw new LogStoreException(LogStoreFault.Damaged, $"{path} names no network. Restore it from a backup.");
    }

    public static long ReadInteger(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar() is long value ? value : 0;
    }

    public static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>How long SQLite itself waits for others; it backs off in milliseconds, the library's waiting above it in steps of 150.</summary>
    public static void SetLockWait(SqliteConnection connection, TimeSpan wait) =>
        Execute(connection, string.Create(CultureInfo.InvariantCulture, $"PRAGMA busy_timeout = {(long)wait.TotalMilliseconds}"));

    private static SqliteConnection Connect(string source, SqliteOpenMode mode, TimeSpan lockWait)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = source,
            Mode = mode,
            Pooling = false, // A closed store lets go of its file.
            DefaultTimeout = Math.Max(1, (int)lockWait.TotalSeconds), // Zero would be for ever.
        }.ToString());
        try
        {
            connection.Open();
            SetLockWait(connection, lockWait);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}
