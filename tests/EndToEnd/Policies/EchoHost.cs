using System.Net;
using System.Net.Sockets;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Policies;

/// <summary>Gives back whatever comes to some ports of a host, on all of its addresses.</summary>
internal sealed class EchoHost : IDisposable
{
    private readonly List<Socket> _sockets = [];

    public EchoHost(NetworkNamespace host, IEnumerable<int> tcpPorts, IEnumerable<int> udpPorts)
    {
        foreach (int port in tcpPorts)
        {
            var listener = Open(host, SocketType.Stream, ProtocolType.Tcp, port);
            listener.Listen();
            _ = AcceptAsync(listener);
        }
        foreach (int port in udpPorts) _ = AnswerAsync(Open(host, SocketType.Dgram, ProtocolType.Udp, port));
    }

    public void Dispose()
    {
        foreach (var socket in _sockets) socket.Dispose();
    }

    private Socket Open(NetworkNamespace host, SocketType type, ProtocolType protocol, int port)
    {
        var socket = host.Inside(() => new Socket(AddressFamily.InterNetworkV6, type, protocol) { DualMode = true });
        _sockets.Add(socket);
        socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        return socket;
    }

    private static async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true) _ = EchoAsync(await listener.AcceptAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private static async Task EchoAsync(Socket connection)
    {
        using (connection)
        {
            byte[] buffer = new byte[1024];
            try
            {
                while (await connection.ReceiveAsync(buffer) is var length and > 0) await connection.SendAsync(buffer.AsMemory(0, length));
            }
            catch (SocketException)
            {
                // The other end is gone, or may not answer any more.
            }
        }
    }

    private static async Task AnswerAsync(Socket socket)
    {
        byte[] buffer = new byte[1024];
        while (true)
        {
            try
            {
                var question = await socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.IPv6Any, 0));
                await socket.SendToAsync(buffer.AsMemory(0, question.ReceivedBytes), question.RemoteEndPoint);
            }
            catch (SocketException e) when (e.SocketErrorCode != SocketError.OperationAborted)
            {
                // There is no way back to whoever asked.
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }
}
