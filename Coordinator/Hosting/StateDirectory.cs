using System.Runtime.InteropServices;
using Mesh.Coordinator.Cli;

namespace Mesh.Coordinator.Hosting;

/// <summary>
/// Everything a coordinator keeps, one directory of 0700 with files of 0600, held by one process at a time:
/// <c>lock, root.key, root.crt, issuer.key, issuer.crt, log.key, log.crt, next-*, past-roots, admin-tokens, token.key,
/// admin.sock, networks/NAME/</c>.
/// </summary>
internal sealed partial class StateDirectory : IDisposable
{
    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>sun_path of unix(7), without the zero at its end.</summary>
    private const int MaxSocketPathBytes = 107;

    private readonly FileStream _lock;

    private StateDirectory(string path, FileStream @lock)
    {
        Path = path;
        _lock = @lock;
    }

    public string Path { get; }

    /// <summary>Whether the directory was wider than 0700 and has been tightened; for a word in the log.</summary>
    public bool WasTightened { get; private init; }

    public string AdminSocket => AdminSocketOf(Path);

    public string Networks => System.IO.Path.Combine(Path, "networks");

    public static string AdminSocketOf(string stateDirectory) =>
        System.IO.Path.Combine(System.IO.Path.GetFullPath(stateDirectory), "admin.sock");

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Makes or opens the directory and takes its lock, which the kernel gives back when the process ends.</summary>
    /// <exception cref="StartFailure">Held by another process, or not ours to write.</exception>
    public static StateDirectory Open(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        if (System.Text.Encoding.UTF8.GetByteCount(AdminSocketOf(path)) > MaxSocketPathBytes)
        {
            throw new StartFailure(ExitCode.StateDirectoryUnusable,
                $"the path of the state directory is too long for a socket in it (at most {MaxSocketPathBytes} bytes with /admin.sock)",
                "name a directory with a shorter path with --state-dir");
        }
        try
        {
            Directory.CreateDirectory(path, DirectoryMode);
            bool wide = System.IO.File.GetUnixFileMode(path) != DirectoryMode;
            if (wide) System.IO.File.SetUnixFileMode(path, DirectoryMode);
            var held = TakeLock(path);
            Directory.CreateDirectory(System.IO.Path.Combine(path, "networks"), DirectoryMode);
            var state = new StateDirectory(path, held) { WasTightened = wide };
            state.FinishStaged();
            return state;
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StartFailure(ExitCode.StateDirectoryUnusable,
                $"the state directory {path} is not ours to use: {e.Message}",
                "give it to the user that runs the coordinator (chown), or name another with --state-dir", e);
        }
        catch (IOException e)
        {
            throw new StartFailure(ExitCode.StateDirectoryUnusable,
                $"the state directory {path} cannot be used: {e.Message}",
                "check the path and the disk, or name another with --state-dir", e);
        }
    }

    /// <summary>The file's bytes, or null when there is none.</summary>
    public byte[]? TryRead(string name)
    {
        string file = File(name);
        return System.IO.File.Exists(file) ? System.IO.File.ReadAllBytes(file) : null;
    }

    /// <summary>Writes the file so that after a crash either all of it is there or what was before; mode 0600.</summary>
    public void Write(string name, ReadOnlySpan<byte> bytes)
    {
        string file = File(name), temporary = file + ".new";
        System.IO.File.Delete(temporary);
        var options = new FileStreamOptions
        {
            Mode = System.IO.FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0, UnixCreateMode = OwnerOnly,
        };
        using (var stream = new FileStream(temporary, options))
        {
            stream.Write(bytes);
            stream.Flush(flushToDisk: true);
        }
        System.IO.File.Move(temporary, file, overwrite: true);
        SyncDirectory(Path);
    }

    /// <summary>
    /// Changes several files as one: after a crash either all are as they were, or the next <see cref="Open"/> ends what was
    /// begun. Null bytes delete.
    /// <list type="number">
    /// <item>Every new file is written beside the old one, as NAME.staged.</item>
    /// <item>The list "staged" is written: from here on it is done.</item>
    /// <item>Each is moved to its place, and what is to go is deleted; then the list goes.</item>
    /// </list>
    /// </summary>
    public void WriteTogether(IReadOnlyList<(string Name, byte[]? Bytes)> files)
    {
        foreach (var (name, bytes) in files)
            if (bytes is not null) Write(name + StagedSuffix, bytes);
        Write(StagedList, System.Text.Encoding.ASCII.GetBytes(string.Join('\n', files.Select(file => (file.Bytes is null ? '-' : '+') + file.Name))));
        FinishStaged();
    }

    private const string StagedList = "staged";
    private const string StagedSuffix = ".staged";

    public void Dispose() => _lock.Dispose();

    private void FinishStaged()
    {
        if (TryRead(StagedList) is not { } list) return;
        foreach (string line in System.Text.Encoding.ASCII.GetString(list).Split('\n'))
        {
            string file = File(line[1..]);
            if (line[0] == '-') System.IO.File.Delete(file);
            else if (System.IO.File.Exists(file + StagedSuffix)) System.IO.File.Move(file + StagedSuffix, file, overwrite: true);
        }
        SyncDirectory(Path);
        System.IO.File.Delete(File(StagedList));
        SyncDirectory(Path);
    }

    private static FileStream TakeLock(string path)
    {
        try
        {
            return new FileStream(System.IO.Path.Combine(path, "lock"), new FileStreamOptions
            {
                Mode = System.IO.FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, UnixCreateMode = OwnerOnly,
            });
        }
        catch (IOException e) when (e.HResult == EWouldBlock)
        {
            throw new StartFailure(ExitCode.StateDirectoryInUse,
                $"another coordinator runs on the state directory {path}",
                "stop that one first, or name another directory with --state-dir", e);
        }
    }

    // .NET reports flock's refusal as an IOException whose HResult is the errno.
    private const int EWouldBlock = 11;

    private static void SyncDirectory(string path)
    {
        const int readOnlyDirectory = 0x10000; // O_RDONLY | O_DIRECTORY
        int descriptor = OpenDirectory(path, readOnlyDirectory);
        if (descriptor < 0) throw new IOException($"cannot open {path} (errno {Marshal.GetLastPInvokeError()})");
        int result = Fsync(descriptor);
        int error = Marshal.GetLastPInvokeError();
        _ = Close(descriptor);
        if (result != 0) throw new IOException($"cannot sync {path} (errno {error})");
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int OpenDirectory(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
