using Microsoft.Data.Sqlite;

namespace Mesh.Coordinator.Log;

/// <summary>Looks from time to time whether anyone committed to a log's file, which costs one read of shared memory.</summary>
internal sealed class SqliteLogWatch : IDisposable
{
    /// <summary>Changes when another connection has committed.</summary>
    private const string DataVersion = "PRAGMA data_version";

    private readonly string _path;
    private readonly Action<long> _callback;
    private readonly Lock _lock = new();
    private readonly SqliteConnection _connection;
    private readonly ITimer _timer;
    private long _dataVersion;
    private bool _disposed;

    public SqliteLogWatch(string path, Action<long> callback, TimeProvider time, TimeSpan interval)
    {
        _path = path;
        _callback = callback;
        _connection = SqliteLogFile.Open(path, SqliteLogFile.LockWait, out _);
        _dataVersion = Read(DataVersion);
        _timer = time.CreateTimer(_ => Look(), null, interval, interval);
    }

    public void Dispose()
    {
        _timer.Dispose();
        lock (_lock)
        {
            _disposed = true;
            _connection.Dispose();
        }
    }

    private void Look()
    {
        if (!_lock.TryEnter())
            return;
        long last;
        try
        {
            if (_disposed)
                return;
            var version = Read(DataVersion);
            if (version == _dataVersion)
                return;
            last = Read("SELECT max(position) FROM events");
            _dataVersion = version;
        }
        catch (LogStoreException)
        {
            return; // The file is in trouble, or busy for longer than we wait. The next look, or the next append, tells.
        }
        finally
        {
            _lock.Exit();
        }

        _callback(last);
    }

    private long Read(string sql) => SqliteFaults.Translate(_path, () => SqliteLogFile.ReadInteger(_connection, sql));
}
