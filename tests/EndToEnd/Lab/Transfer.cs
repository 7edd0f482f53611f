using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Mesh.EndToEnd.Lab;

/// <summary>What came of sending bytes over TCP from one host to another.</summary>
internal sealed record TransferResult(long BytesReceived, byte[] SentSum, byte[] ReceivedSum, TimeSpan Took)
{
    public bool Intact => SentSum.AsSpan().SequenceEqual(ReceivedSum);
}

/// <summary>Sends pseudo-random bytes over TCP between two hosts, and takes the SHA-256 of both ends.</summary>
internal static class Transfer
{
    public const long Mebibyte = 1 << 20;

    private const int ChunkBytes = 1 << 16;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <param name="from">The host that connects and sends.</param>
    /// <param name="to">The host that listens.</param>
    /// <param name="address">The receiver's address, as the sender reaches it.</param>
    /// <param name="bytes">How much to send.</param>
    public static async Task<TransferResult> RunAsync(NetworkNamespace from, NetworkNamespace to, string address, long bytes)
    {
        var target = IPAddress.Parse(address);
        using var listener = to.Inside(() =>
        {
            var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(target, 0));
            socket.Listen(1);
            return socket;
        });
        using var sender = from.Inside(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp));

        using var limit = new CancellationTokenSource(Deadline);
        var start = Stopwatch.GetTimestamp();
        var receiving = ReceiveAsync(listener, limit);
        var sending = SendAsync(sender, listener.LocalEndPoint!, bytes, limit);
        try
        {
            await Task.WhenAll(receiving, sending);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"{bytes} bytes to {address} did not all arrive within {Deadline.TotalSeconds} s");
        }

        var (count, receivedSum) = await receiving;
        return new TransferResult(count, await sending, receivedSum, Stopwatch.GetElapsedTime(start));
    }

    private static async Task<byte[]> SendAsync(Socket socket, EndPoint target, long bytes, CancellationTokenSource limit)
    {
        try
        {
            await socket.ConnectAsync(target, limit.Token);
            using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var random = new Random(unchecked((int)bytes));
            var chunk = new byte[ChunkBytes];
            for (var left = bytes; left > 0;)
            {
                var part = chunk.AsMemory(0, (int)Math.Min(left, chunk.Length));
                random.NextBytes(part.Span);
                sum.AppendData(part.Span);
                for (var rest = part; rest.Length > 0;)
                    rest = rest[await socket.SendAsync(rest, limit.Token)..];
                left -= part.Length;
            }

            socket.Shutdown(SocketShutdown.Send);
            return sum.GetHashAndReset();
        }
        catch
        {
            await limit.CancelAsync(); // the other end must not wait for what will not come
            throw;
        }
    }

    private static async Task<(long Bytes, byte[] Sum)> ReceiveAsync(Socket listener, CancellationTokenSource limit)
    {
        using var socket = await listener.AcceptAsync(limit.Token);
        using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var chunk = new byte[ChunkBytes];
        long bytes = 0;
        while (await socket.ReceiveAsync(chunk, limit.Token) is var count and > 0)
        {
            sum.AppendData(chunk.AsSpan(0, count));
            bytes += count;
        }

        return (bytes, sum.GetHashAndReset());
    }
}
