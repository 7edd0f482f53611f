using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Mesh.EndToEnd.Lab;
using Mesh.Node.Cli;
using Mesh.Node.Filter;
using Mesh.Node.Ping;

namespace Mesh.EndToEnd.Policies;

/// <summary>
/// A question of one machine to another through the tunnel: a connection, a datagram or an echo, which the other end answers
/// (<see cref="EchoHost"/>, and the kernel) if it gets there.
/// </summary>
/// <param name="Protocol">TCP, UDP or the ICMP of the address's version.</param>
/// <param name="Port">0 for ICMP.</param>
internal sealed record Probe(string From, string To, IPAddress Source, IPAddress Target, byte Protocol, int Port)
{
    private const int NonceBytes = 16;

    /// <summary>After which a datagram or an echo is sent again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(300);

    public override string ToString() => Protocol switch
    {
        IpProtocol.Tcp => $"{From} to {To} ({Target}) tcp:{Port}",
        IpProtocol.Udp => $"{From} to {To} ({Target}) udp:{Port}",
        _ => $"{From} to {To} ({Target}) icmp",
    };

    /// <summary>Asks, again where an answer may have been lost, until it is answered or the time is over.</summary>
    /// <param name="host">The asking machine.</param>
    public async Task<bool> AskAsync(NetworkNamespace host, CancellationToken over)
    {
        try
        {
            if (Protocol is not (IpProtocol.Tcp or IpProtocol.Udp)) return await EchoAsync(host, over);
            using var socket = host.Inside(() => Protocol == IpProtocol.Tcp
                ? new Socket(Target.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
                : new Socket(Target.AddressFamily, SocketType.Dgram, ProtocolType.Udp));
            await socket.ConnectAsync(new IPEndPoint(Target, Port), over);
            byte[] nonce = RandomNumberGenerator.GetBytes(NonceBytes), answer = new byte[NonceBytes];
            if (Protocol == IpProtocol.Udp) return await ExchangeAsync(socket, nonce, answer, over);
            await socket.SendAsync(nonce, over);
            await using var stream = new NetworkStream(socket);
            await stream.ReadExactlyAsync(answer, over);
            return answer.AsSpan().SequenceEqual(nonce);
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            return false;
        }
        catch (SocketException e) when (e.SocketErrorCode != SocketError.ConnectionRefused)
        {
            // Not refused by the other end, so it did not get there: the next table asks again.
            return false;
        }
    }

    private static async Task<bool> ExchangeAsync(Socket socket, byte[] nonce, byte[] answer, CancellationToken over)
    {
        while (true)
        {
            await socket.SendAsync(nonce, over);
            using var soon = CancellationTokenSource.CreateLinkedTokenSource(over);
            soon.CancelAfter(Patience);
            try
            {
                int length = await socket.ReceiveAsync(answer, soon.Token);
                return answer.AsSpan(0, length).SequenceEqual(nonce);
            }
            catch (OperationCanceledException) when (!over.IsCancellationRequested)
            {
            }
        }
    }

    /// <summary>On a thread of its own: echoes wait where they stand.</summary>
    private Task<bool> EchoAsync(NetworkNamespace host, CancellationToken over) => Task.Factory.StartNew(
        () =>
        {
            try
            {
                using var echo = host.Inside(() => new IcmpEcho(Source, Target, TimeProvider.System));
                for (ushort sequence = 0; !over.IsCancellationRequested; sequence++)
                    if (echo.Send(sequence, Patience) is not null) return true;
            }
            catch (UserException)
            {
                // The tunnel is down.
            }
            return false;
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
