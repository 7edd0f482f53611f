using System.Net.Sockets;
using System.Text;

namespace Mesh.Node.Daemon;

/// <summary>
/// Tells a service manager how the daemon is (sd_notify(3)): one datagram to the socket that NOTIFY_SOCKET names. Without
/// that variable, and when nobody listens, nothing happens.
/// </summary>
internal static class SystemdNotifier
{
    public static void Ready() => Send("READY=1");

    public static void Stopping() => Send("STOPPING=1");

    private static void Send(string state)
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 1 } path || path[0] is not ('/' or '@')) return;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            // An abstract socket's name begins with a zero byte.
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(path[0] == '@' ? '\0' + path[1..] : path));
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            // A manager that does not listen does not need to know.
        }
    }
}
