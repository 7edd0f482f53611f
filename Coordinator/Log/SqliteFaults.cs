using Microsoft.Data.Sqlite;

namespace Mesh.Coordinator.Log;

/// <summary>SQLite's result codes as <see cref="LogStoreFault"/>s.</summary>
internal static class SqliteFaults
{
    private const int Perm = 3, Busy = 5, Locked = 6, ReadOnly = 8, IoError = 10, Corrupt = 11, Full = 13, CantOpen = 14, Auth = 23, NotADatabase = 26;

    /// <summary>ENOSPC: .NET gives an IOException the errno as its HResult.</summary>
    private const int NoSpaceErrno = 28;

    public static void Translate(string path, Action action) => Translate(path, () =>
    {
        action();
        return 0;
    });

    public static T Translate<T>(string path, Func<T> function)
    {
        try
        {
            return function();
        }
        catch (SqliteException e)
        {
            throw Translate(path, e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw AccessDenied(path, e);
        }
        catch (IOException e)
        {
            throw Translate(path, e);
        }
    }

    public static LogStoreException Translate(string path, IOException e) => e.HResult == NoSpaceErrno
        ? DiskFull(path, e)
        : new LogStoreException(LogStoreFault.Io, $"{path} can't be read or written: {e.Message}", e);

    public static LogStoreException Translate(string path, SqliteException e) => e.SqliteErrorCode switch
    {
        Busy or Locked => new LogStoreException(
            LogStoreFault.Locked, $"Another process holds the log {path}. Find it with `fuser {path}` and stop it.", e),
        Full => DiskFull(path, e),
        Corrupt or NotADatabase => new LogStoreException(
            LogStoreFault.Damaged,
            $"The log {path} is damaged. Restore it from a backup; `mesh-coordinator log verify` lists what is wrong.",
            e),
        ReadOnly or Perm or Auth or CantOpen => AccessDenied(path, e),
        IoError => new LogStoreException(
            LogStoreFault.Io,
            $"The disk of the log {path} failed (SQLite {e.SqliteExtendedErrorCode}). What was acknowledged is safe; check the disk, then start again.",
            e),
        _ => new LogStoreException(
            LogStoreFault.Io, $"The log {path} can't be used (SQLite {e.SqliteExtendedErrorCode}).", e),
    };

    private static LogStoreException DiskFull(string path, Exception e) => new(
        LogStoreFault.DiskFull, $"The disk of {path} is full. Nothing was lost; make room and try again.", e);

    public static LogStoreException AccessDenied(string path, Exception e) => new(
        LogStoreFault.AccessDenied,
        $"{path} or its directory can't be read and written. Give both to the coordinator's user, mode 0600 and 0700.",
        e);
}
