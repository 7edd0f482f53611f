using System.Net.Sockets;
using System.Text;

namespace Mesh.Coordinator.Hosting;

/// <summary>
/// Tells a service manager how we are (sd_notify(3)): one datagram to the socket that NOTIFY_SOCKET names. Without that
/// variable, and when nobody listens, nothing happens.
/// </summary>
internal static class SystemdNotifier
{
    public static void Ready() => Send("READY=1");

    public static void Stopping() => Send("STOPPING=1");

    private static void Send(string state)
    {
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 1 } path || path[0] is not ('/' or '@')) return;
        // An abstract socket's name starts with a zero byte.
        string address = path[0] == '@' ? '\0' + path[1..] : path;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(address));
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            // A manager that does not listen does not need to know.
        }
    }
}
