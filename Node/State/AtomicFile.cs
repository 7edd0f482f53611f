using System.Runtime.InteropServices;
using Mesh.Node.Kernel;

namespace Mesh.Node.State;

/// <summary>Files that are either the old one or the new one, whatever happens: temporary file, fsync, rename, fsync of the directory.</summary>
internal static partial class AtomicFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const int O_RDONLY = 0;
    private const int O_DIRECTORY = 0x10000;
    private const int O_CLOEXEC = 0x80000;

    /// <summary>Replaces the file, mode 0600. On failure the old file stands and the temporary one is gone.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        string temporary = path + ".new";
        try
        {
            // A left-over of a crash is of no use, and its rights are unknown.
            File.Delete(temporary);
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                Share = FileShare.None,
                BufferSize = 0,
                UnixCreateMode = OwnerOnly,
            };
            using (var file = new FileStream(temporary, options))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            TryDelete(temporary);
            throw;
        }
        SyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>Puts one file in another's place; after a crash the place holds the one or the other, whole.</summary>
    public static void Replace(string path, string with)
    {
        File.Move(with, path, overwrite: true);
        SyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>Removes the file for good, if it is there.</summary>
    public static void Delete(string path)
    {
        File.Delete(path);
        SyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>The whole file, or null when there is none.</summary>
    /// <exception cref="InvalidDataException">The file is longer than <paramref name="maxBytes"/>.</exception>
    public static byte[]? Read(string path, int maxBytes)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            if (file.Length > maxBytes) throw new InvalidDataException($"{path} is longer than {maxBytes} bytes");
            byte[] content = new byte[file.Length];
            file.ReadExactly(content);
            return content;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (IOException)
        {
            // The first failure is the one to report.
        }
    }

    private static void SyncDirectory(string path)
    {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) throw KernelException.Last($"open {path}");
        try
        {
            if (fsync(fd) != 0) throw KernelException.Last($"write {path} to disk");
        }
        finally
        {
            _ = close(fd);
        }
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int fd);

    [LibraryImport("libc")]
    private static partial int close(int fd);
}
