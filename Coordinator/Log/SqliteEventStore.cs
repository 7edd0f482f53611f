using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Mesh.Coordinator.Log;

/// <summary>
/// A network's log in one SQLite file: write-ahead log, and an fsync for each append. Appends block their thread for as long
/// as the disk takes. Several stores, in one process or many, may share a file: SQLite's lock orders them, and the point
/// that an append names finds out who came second.
/// </summary>
public sealed class SqliteEventStore : IEventStore, ISnapshotStore
{
    /// <summary>Rows that a reader takes at a time, so that a slow one holds no snapshot open and the file can be checkpointed.</summary>
    private const int PageRows = 512;

    /// <summary>How often to look whether another process has appended.</summary>
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly TimeSpan _lockWait;

    /// <summary>Guards the connection and its commands: one append at a time.</summary>
    private readonly Lock _writing = new();
    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _readLast;
    private readonly SqliteCommand _insertEvent;
    private readonly SqliteCommand _insertHead;
    private (byte[] Certificate, long Number)? _logKey;
    private bool _walHoldsErased;

    private SqliteEventStore(string path, SqliteConnection connection, NetworkId network, TimeProvider time, TimeSpan lockWait)
    {
        _path = path;
        _time = time;
        _lockWait = lockWait;
        _connection = connection;
        Network = network;
        _readLast = Command("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1");
        _insertEvent = Command(
            "INSERT INTO events (position, header, previous_hash, hash, salt, payload) VALUES ($1, $2, $3, $4, $5, $6)", 6);
        _insertHead = Command("INSERT INTO heads (position, hash, signature, log_key) VALUES ($1, $2, $3, $4)", 4);
    }

    public NetworkId Network { get; }

    /// <summary>Makes an empty log. The path must not exist; syncing its directory is the caller's.</summary>
    public static void Create(string path, NetworkId network) => SqliteLogFile.Create(path, network);

    /// <summary>Copies a log as it stands at one moment, while its writers go on. The copy's file must not exist.</summary>
    public static void CopyTo(string path, string copy) => SqliteFaults.Translate(path, () =>
    {
        DurableFile.Create(copy, []);
        using var from = SqliteLogFile.Open(path, SqliteLogFile.LockWait, out _);
        using var to = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = copy, Pooling = false }.ToString());
        to.Open();
        from.BackupDatabase(to);
        // Whole in one file: no write-ahead log stands beside a copy.
        SqliteLogFile.Execute(to, "PRAGMA journal_mode = DELETE");
    });

    /// <summary>The network that a log belongs to.</summary>
    public static NetworkId ReadNetwork(string path)
    {
        SqliteLogFile.Open(path, SqliteLogFile.LockWait, out var network).Dispose();
        return network;
    }

    /// <summary>The last event of a log that nobody writes to.</summary>
    public static LogPoint ReadEnd(string path) => SqliteFaults.Translate(path, () =>
    {
        using var connection = SqliteLogFile.OpenReadOnly(path);
        return SqliteLogRows.ReadNewestHead(connection, path)?.Point ?? LogPoint.Start;
    });

    /// <param name="lockWait">How long to wait for another writer before the store is <see cref="LogStoreFault.Locked"/>; 5 s.</param>
    /// <exception cref="LogStoreException">There is none, or it can't be used.</exception>
    public static SqliteEventStore Open(string path, TimeProvider time, TimeSpan? lockWait = null)
    {
        var wait = lockWait ?? SqliteLogFile.LockWait;
        var connection = SqliteLogFile.Open(path, wait, out var network);
        return new SqliteEventStore(path, connection, network, time, wait);
    }

    public ValueTask<bool> AppendAsync(LogPoint after, IReadOnlyList<EventRow> rows, SignedHead head)
    {
        lock (_writing)
        {
            var appended = SqliteFaults.Translate(_path, () => Append(after, rows, head));
            RetryEmptying();
            return ValueTask.FromResult(appended);
        }
    }

    public async IAsyncEnumerable<EventRow> ReadAfterAsync(
        long position, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await using var connection = SqliteLogFile.Open(_path, _lockWait, out _);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var from = position + 1;
            var page = SqliteFaults.Translate(_path, () => SqliteLogRows.ReadEvents(connection, from, PageRows));
            foreach (var row in page)
            {
                yield return row ?? throw new LogStoreException(
                    LogStoreFault.Damaged,
                    $"The log {_path} holds a row behind position {position} that is no event. Restore it from a backup.");
                position = row.Position;
            }

            if (page.Count < PageRows)
                yield break;
        }
    }

    public ValueTask<SignedHead?> ReadHeadAsync()
    {
        using var connection = SqliteLogFile.Open(_path, _lockWait, out _);
        return ValueTask.FromResult(SqliteFaults.Translate(_path, () => SqliteLogRows.ReadNewestHead(connection, _path)));
    }

    public IDisposable OnAppended(Action<long> callback) => new SqliteLogWatch(_path, callback, _time, WatchInterval);

    public ValueTask DisposeAsync()
    {
        lock (_writing)
        {
            _readLast.Dispose();
            _insertEvent.Dispose();
            _insertHead.Dispose();
            _connection.Dispose();
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask WriteSnapshotAsync(SignedSnapshot snapshot)
    {
        lock (_writing)
            SqliteFaults.Translate(_path, () => InTransaction(() => Insert(snapshot)));
        return ValueTask.CompletedTask;
    }

    public ValueTask<SignedSnapshot?> ReadSnapshotAsync(long atOrBefore)
    {
        using var connection = SqliteLogFile.Open(_path, _lockWait, out _);
        return ValueTask.FromResult(SqliteFaults.Translate(_path, () => SqliteLogRows.ReadSnapshot(connection, atOrBefore)));
    }

    public ValueTask EraseAsync(IReadOnlyList<long> positions)
    {
        lock (_writing)
            SqliteFaults.Translate(_path, () => Erase(positions));
        return ValueTask.CompletedTask;
    }

    private void Erase(IReadOnlyList<long> positions)
    {
        var erased = 0;
        InTransaction(() =>
        {
            using var erase = Command("UPDATE events SET salt = NULL, payload = NULL WHERE position = $1 AND payload IS NOT NULL", 1);
            foreach (var position in positions)
            {
                erase.Parameters[0].Value = position;
                erased += erase.ExecuteNonQuery();
            }

            if (erased > 0)
                SqliteLogFile.Execute(_connection, "DELETE FROM snapshots");
        });
        // Also when all of it was erased before: the process may have died before the next line.
        _walHoldsErased = positions.Count > 0;
        EmptyWriteAheadLog(_lockWait);
    }

    /// <summary>
    /// The write-ahead log holds pages as they were, and with them what was erased; emptied, it holds nothing. Whoever reads
    /// keeps it from that: then the next append tries again.
    /// </summary>
    private void EmptyWriteAheadLog(TimeSpan wait)
    {
        if (!_walHoldsErased)
            return;
        SqliteLogFile.SetLockWait(_connection, wait);
        try
        {
            // Answers 0 when it is done, 1 when a reader was in the way.
            _walHoldsErased = SqliteLogFile.ReadInteger(_connection, "PRAGMA wal_checkpoint(TRUNCATE)") != 0;
        }
        finally
        {
            SqliteLogFile.SetLockWait(_connection, _lockWait);
        }
    }

    private void RetryEmptying()
    {
        try
        {
            EmptyWriteAheadLog(TimeSpan.Zero);
        }
        catch (SqliteException)
        {
            // What was appended is on disk whatever comes of this; if it is the disk, the next append says so.
        }
    }

    private void InTransaction(Action action)
    {
        SqliteLogFile.Execute(_connection, "BEGIN IMMEDIATE");
        try
        {
            action();
            SqliteLogFile.Execute(_connection, "COMMIT");
        }
        catch
        {
            // The number of a log key that was inserted in vain must not be remembered.
            _logKey = null;
            RollBack();
            throw;
        }
    }

    private bool Append(LogPoint after, IReadOnlyList<EventRow> rows, SignedHead head)
    {
        var appended = false;
        InTransaction(() =>
        {
            if (ReadLast() != after)
                return;
            foreach (var row in rows)
                Insert(row);
            Insert(head);
            appended = true;
        });
        return appended;
    }

    /// <summary>After some failures SQLite has rolled back already.</summary>
    private void RollBack()
    {
        if (raw.sqlite3_get_autocommit(_connection.Handle) == 0)
            SqliteLogFile.Execute(_connection, "ROLLBACK");
    }

    private LogPoint ReadLast()
    {
        using var reader = _readLast.ExecuteReader();
        if (!reader.Read())
            return LogPoint.Start;
        return reader.GetValue(1) is byte[] { Length: Bytes32.Length } hash
            ? new LogPoint(reader.GetInt64(0), new Bytes32(hash))
            : throw new LogStoreException(
                LogStoreFault.Damaged, $"The last event of the log {_path} has no hash. Restore it from a backup.");
    }

    private void Insert(EventRow row)
    {
        var values = _insertEvent.Parameters;
        values[0].Value = row.Position;
        values[1].Value = row.Header;
        values[2].Value = row.PreviousHash.ToArray();
        values[3].Value = row.Hash.ToArray();
        values[4].Value = (object?)row.Salt ?? DBNull.Value;
        values[5].Value = (object?)row.SealedPayload ?? DBNull.Value;
        _insertEvent.ExecuteNonQuery();
    }

    private void Insert(SignedSnapshot snapshot)
    {
        using var insert = Command("INSERT OR REPLACE INTO snapshots (position, hash, state, signature, log_key) VALUES ($1, $2, $3, $4, $5)", 5);
        insert.Parameters[0].Value = snapshot.Point.Position;
        insert.Parameters[1].Value = snapshot.Point.Hash.ToArray();
        insert.Parameters[2].Value = snapshot.SealedState;
        insert.Parameters[3].Value = snapshot.Signature;
        insert.Parameters[4].Value = LogKeyNumber(snapshot.Certificate);
        insert.ExecuteNonQuery();
        using var prune = Command(
            "DELETE FROM snapshots WHERE position NOT IN (SELECT position FROM snapshots ORDER BY position DESC LIMIT $1)", 1);
        prune.Parameters[0].Value = ISnapshotStore.SnapshotsKept;
        prune.ExecuteNonQuery();
    }

    private void Insert(SignedHead head)
    {
        var values = _insertHead.Parameters;
        values[0].Value = head.Point.Position;
        values[1].Value = head.Point.Hash.ToArray();
        values[2].Value = head.Signature;
        values[3].Value = LogKeyNumber(head.Certificate);
        _insertHead.ExecuteNonQuery();
    }

    private long LogKeyNumber(byte[] certificate)
    {
        if (_logKey is null || !_logKey.Value.Certificate.AsSpan().SequenceEqual(certificate))
            _logKey = (certificate, NumberOf(certificate));
        return _logKey.Value.Number;
    }

    private long NumberOf(byte[] certificate)
    {
        using var insert = _connection.CreateCommand();
        insert.CommandText = "INSERT INTO log_keys (certificate) VALUES ($1) ON CONFLICT DO NOTHING";
        insert.Parameters.AddWithValue("$1", certificate);
        insert.ExecuteNonQuery();
        using var select = _connection.CreateCommand();
        select.CommandText = "SELECT number FROM log_keys WHERE certificate = $1";
        select.Parameters.AddWithValue("$1", certificate);
        return (long)select.ExecuteScalar()!;
    }

    private SqliteCommand Command(string sql, int parameters = 0)
    {
        var command = _connection.CreateCommand();
        command.CommandText = sql;
        for (var number = 1; number <= parameters; number++)
            command.Parameters.Add(new SqliteParameter($"${number}", null));
        return command;
    }
}
