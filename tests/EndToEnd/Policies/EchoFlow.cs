using System.Net;
using System.Net.Sockets;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Policies;

/// <summary>A TCP connection that lives: one byte after the other goes to an <see cref="EchoHost"/> and comes back.</summary>
internal sealed class EchoFlow : IDisposable
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan OpeningDeadline = TimeSpan.FromSeconds(10);

    private readonly Socket _socket;
    private readonly CancellationTokenSource _end = new();
    private long _roundTrips;
    private long _last;

    private EchoFlow(Socket socket, string name) => (_socket, Name) = (socket, name);

    public string Name { get; }

    public long RoundTrips => Volatile.Read(ref _roundTrips);

    /// <summary>A time stamp: when the last byte came back.</summary>
    public long Last => Volatile.Read(ref _last);

    /// <summary>Opens a connection, over which bytes go from then on.</summary>
    public static async Task<EchoFlow> OpenAsync(NetworkNamespace from, string address, int port, string name)
    {
        var target = IPAddress.Parse(address);
        var socket = from.Inside(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        using var limit = new CancellationTokenSource(OpeningDeadline);
        await socket.ConnectAsync(new IPEndPoint(target, port), limit.Token);
        var flow = new EchoFlow(socket, name);
        _ = flow.RunAsync();
        return flow;
    }

    public void Dispose()
    {
        _end.Cancel();
        _socket.Dispose();
    }

    private async Task RunAsync()
    {
        byte[] one = new byte[1];
        using var pace = new PeriodicTimer(Pace);
        try
        {
            while (await pace.WaitForNextTickAsync(_end.Token))
            {
                await _socket.SendAsync(one, _end.Token);
                if (await _socket.ReceiveAsync(one, _end.Token) == 0) return;
                Volatile.Write(ref _last, TimeProvider.System.GetTimestamp());
                Interlocked.Increment(ref _roundTrips);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // It has ended, which the count shows.
        }
    }
}
