using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Soak;

/// <summary>
/// Numbered datagrams from one host to another, several a millisecond, each with a sum over its bytes. The receiver counts what
/// arrives, how far behind a later one, twice, or changed. With segments the kernel is given many datagrams at once, so that it
/// hands them to the tunnel in one piece.
/// <code>
///   0   8  number, little-endian
///   8   n  filling that depends on the number
///   n  16  first half of SHA-256 over all before
/// </code>
/// </summary>
internal sealed class DatagramFlow : IDisposable
{
    private const int SumLength = 16, Least = 64, Most = 1372, Burst = 8, SegmentLength = 1000, Remembered = 1 << 16;
    private const int UdpLevel = 17, UdpSegment = 103;
    private static readonly byte[] Filling = RandomNumberGenerator.GetBytes(2 * Most);

    private readonly Socket _from;
    private readonly Socket _to;
    private readonly IPEndPoint _target;
    private readonly bool _segments;
    private readonly Thread[] _threads;
    private readonly long[] _seen = new long[Remembered]; // by number: the number + 1 that came last in this place
    private long _sent;
    private long _received;
    private long _bytes;
    private long _newest = -1;
    private volatile bool _sending = true;
    private volatile bool _receiving = true;

    public DatagramFlow(NetworkNamespace from, string fromAddress, NetworkNamespace to, string toAddress, int port, bool segments)
    {
        (_segments, _target) = (segments, new IPEndPoint(IPAddress.Parse(toAddress), port));
        _from = from.Inside(() => Bound(fromAddress, 0));
        _to = to.Inside(() => Bound(toAddress, port));
        if (segments)
        {
            Span<byte> length = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(length, SegmentLength);
            _from.SetRawSocketOption(UdpLevel, UdpSegment, length);
        }
        _threads = [new Thread(Send) { IsBackground = true }, new Thread(Receive) { IsBackground = true }];
        foreach (Thread thread in _threads) thread.Start();
    }

    public long Sent => Volatile.Read(ref _sent);

    public long Received => Volatile.Read(ref _received);

    public long Bytes => Volatile.Read(ref _bytes);

    public long Changed { get; private set; }

    public long Twice { get; private set; }

    /// <summary>How far behind the newest the worst of them came.</summary>
    public long WorstLate { get; private set; }

    public void StopSending()
    {
        _sending = false;
        _threads[0].Join();
    }

    public void Dispose()
    {
        StopSending();
        _receiving = false;
        _threads[1].Join();
        _from.Dispose();
        _to.Dispose();
    }

    private static Socket Bound(string address, int port)
    {
        var local = new IPEndPoint(IPAddress.Parse(address), port);
        var socket = new Socket(local.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 };
        socket.Bind(local);
        return socket;
    }

    private void Send()
    {
        var random = new Random(_target.Port);
        byte[] buffer = new byte[Burst * Most];
        while (_sending)
        {
            int length = 0;
            for (int i = 0; i < Burst; i++)
            {
#pragma warning disable CA5394 // Sizes, not secrets.
                int size = _segments ? SegmentLength : random.Next(Least, Most + 1);
#pragma warning restore CA5394
                Write(buffer.AsSpan(length, size), _sent + i);
                if (_segments) length += size;
                else TrySend(buffer.AsSpan(0, size));
            }
            if (_segments) TrySend(buffer.AsSpan(0, length));
            Volatile.Write(ref _sent, _sent + Burst);
            Thread.Sleep(1); // the pace of the load
        }
    }

    /// <summary>While the interface is away there is no way to send; what is not sent counts as lost.</summary>
    private void TrySend(ReadOnlySpan<byte> datagram)
    {
        try
        {
            _from.SendTo(datagram, SocketFlags.None, _target);
        }
        catch (SocketException)
        {
        }
    }

    private void Receive()
    {
        byte[] buffer = new byte[2048];
        while (_receiving)
        {
            if (!_to.Poll(TimeSpan.FromMilliseconds(50), SelectMode.SelectRead)) continue;
            try
            {
                Take(buffer.AsSpan(0, _to.Receive(buffer)));
            }
            catch (SocketException)
            {
                // An ICMP error that an earlier datagram brought.
            }
        }
    }

    private static void Write(Span<byte> datagram, long number)
    {
        Span<byte> summed = datagram[..^SumLength];
        Filling.AsSpan((int)(number % Most), summed.Length).CopyTo(summed);
        BinaryPrimitives.WriteInt64LittleEndian(summed, number);
        Span<byte> sum = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(summed, sum);
        sum[..SumLength].CopyTo(datagram[^SumLength..]);
    }

    private void Take(ReadOnlySpan<byte> datagram)
    {
        Span<byte> sum = stackalloc byte[SHA256.HashSizeInBytes];
        if (datagram.Length < Least || SHA256.HashData(datagram[..^SumLength], sum) != sum.Length
            || !sum[..SumLength].SequenceEqual(datagram[^SumLength..]))
        {
            Changed++;
            return;
        }
        long number = BinaryPrimitives.ReadInt64LittleEndian(datagram);
        ref long seen = ref _seen[number % Remembered];
        if (seen == number + 1) Twice++;
        seen = number + 1;
        if (number > _newest) _newest = number;
        else WorstLate = Math.Max(WorstLate, _newest - number);
        _bytes += datagram.Length;
        Volatile.Write(ref _received, _received + 1);
    }
}
