using System.Net.Sockets;
using Mesh.Node.Cli;
using Mesh.Node.Kernel;

namespace Mesh.Node.LocalApi;

/// <summary>The daemon's unix socket: 0600, so that only its owner and root may talk to it.</summary>
internal static class LocalSocket
{
    private const UnixFileMode SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode DirectoryMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
    private const int Backlog = 16;

    /// <summary>Listens at the path. A socket that a dead daemon left there is replaced; a live one is not.</summary>
    /// <exception cref="UserException">The path is taken, or can't be used.</exception>
    public static Socket Listen(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (Path.GetDirectoryName(path) is { Length: > 0 } directory && !Directory.Exists(directory))
                Directory.CreateDirectory(directory, DirectoryMode);
            if (File.Exists(path)) RemoveDead(path);
            // Bound under a name that nobody knows and renamed once its rights are set: there is no moment in between.
            string hidden = $"{path}.{Environment.ProcessId}";
            File.Delete(hidden);
            socket.Bind(new UnixDomainSocketEndPoint(hidden));
            File.SetUnixFileMode(hidden, SocketMode);
            socket.Listen(Backlog);
            File.Move(hidden, path, overwrite: true);
            return socket;
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            socket.Dispose();
            throw new UserException(ExitCode.InUse, $"cannot listen on the socket {path}: {e.Message}",
                "Choose a path that this user may write to with --socket.", e);
        }
        catch (UserException)
        {
            socket.Dispose();
            throw;
        }
    }

    /// <exception cref="UserException">Nobody listens there, or this user may not talk to it.</exception>
    public static async Task<Socket> ConnectAsync(string path, CancellationToken cancel)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancel).ConfigureAwait(false);
            return socket;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AccessDenied)
        {
            socket.Dispose();
            throw new UserException(ExitCode.NoDaemon, $"this user may not talk to the daemon at {path}", "Run the command as root: sudo mesh ...", e);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            socket.Dispose();
            throw new UserException(ExitCode.NoDaemon, $"no mesh daemon answers at {path}",
                "Start it with: mesh daemon --state-dir /var/lib/mesh (as root), or name its socket with --socket.", e);
        }
    }

    private static void RemoveDead(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            // Refused by the kernel: a socket without a listener, or a file that is no socket. The latter is not ours to remove.
            if (new FileInfo(path).Attributes.HasFlag(FileAttributes.Normal) && new FileInfo(path).Length > 0)
                throw new IOException("a file that is no socket stands there");
            File.Delete(path);
            return;
        }
        throw new UserException(ExitCode.InUse, $"another daemon answers on the socket {path}", "Choose another path with --socket.");
    }
}
