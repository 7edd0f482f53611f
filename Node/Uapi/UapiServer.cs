using System.Net.Sockets;
using Mesh.Node.Device;

namespace Mesh.Node.Uapi;

/// <summary>
/// The configuration socket /var/run/wireguard/IFACE.sock, through which wg(8) shows and sets a device. It is for root alone. A
/// socket that a killed process left behind is taken over; one that answers is somebody else's.
/// </summary>
internal sealed class UapiServer : IDisposable
{
    private const string Directory = "/var/run/wireguard";
    private const int ClientsAtOnce = 16;
    private static readonly TimeSpan IdleLimit = TimeSpan.FromSeconds(30);

    private readonly Socket _listener;
    private readonly WireGuardDevice _device;
    private readonly IUapiHost _host;
    private readonly SemaphoreSlim _places = new(ClientsAtOnce);
    private volatile bool _disposed;

    private UapiServer(Socket listener, string path, WireGuardDevice device, IUapiHost host)
    {
        (_listener, Path, _device, _host) = (listener, path, device, host);
        new Thread(Accept) { IsBackground = true, Name = "mesh uapi" }.Start();
    }

    public string Path { get; }

    /// <exception cref="IOException">Another process answers on the socket, or it can't be made.</exception>
    public static UapiServer Listen(string interfaceName, WireGuardDevice device, IUapiHost host)
    {
        string path = PathOf(interfaceName);
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            System.IO.Directory.CreateDirectory(Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            if (File.Exists(path))
            {
                if (Answers(path)) throw new IOException($"{path} is in use: another process has a WireGuard device of this name");
                File.Delete(path);
            }
            // Bound under another name and renamed when it is ready, so that a client finds it listening and closed to others.
            string fresh = path + ".new";
            File.Delete(fresh);
            listener.Bind(new UnixDomainSocketEndPoint(fresh));
            File.SetUnixFileMode(fresh, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            listener.Listen(ClientsAtOnce);
            File.Move(fresh, path);
            return new UapiServer(listener, path, device, host);
        }
        catch (Exception e) when (e is SocketException or UnauthorizedAccessException)
        {
            listener.Dispose();
            throw new IOException($"the configuration socket {path} can't be made: {e.Message}", e);
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    /// <summary>Waits for the end of the process that has the interface's socket now.</summary>
    /// <returns>False when it did not end in time.</returns>
    public static bool AwaitEnd(string interfaceName, TimeSpan limit)
    {
        if (limit < TimeSpan.FromMilliseconds(1)) return false;
        using var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            connection.Connect(new UnixDomainSocketEndPoint(PathOf(interfaceName)));
            // It says nothing unless asked; so the only thing that can come is its end.
            connection.ReceiveTimeout = (int)limit.TotalMilliseconds;
            return connection.Receive(new byte[1]) == 0;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode is not (SocketError.TimedOut or SocketError.WouldBlock);
        }
    }

    private static string PathOf(string interfaceName) => System.IO.Path.Combine(Directory, interfaceName + ".sock");

    /// <summary>True when a process accepts on the socket.</summary>
    private static bool Answers(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        // The name first: whoever finds the socket closed may put a new one in its place.
        File.Delete(Path);
        _listener.Dispose();
    }

    private void Accept()
    {
        while (!_disposed)
        {
            try
            {
                Socket client = _listener.Accept();
                _places.Wait();
                new Thread(() => Serve(client)) { IsBackground = true, Name = "mesh uapi client" }.Start();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                if (_disposed) return;
            }
        }
    }

    private void Serve(Socket client)
    {
        try
        {
            client.ReceiveTimeout = client.SendTimeout = (int)IdleLimit.TotalMilliseconds;
            using var stream = new NetworkStream(client, ownsSocket: true);
            new UapiConnection(_device, _host, stream).Serve();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The client went away, or stalled.
        }
        finally
        {
            _places.Release();
        }
    }
}
