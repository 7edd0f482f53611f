using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Mesh.Node.Cli;

namespace Mesh.Node.Ping;

/// <summary>
/// ICMP echoes from one address of ours to one of a peer, through the tunnel. Takes the kernel's unprivileged echo socket
/// where the system lets us, and a raw one otherwise.
/// </summary>
internal sealed class IcmpEcho : IDisposable
{
    private const int HeaderBytes = 8;
    private const int TokenBytes = 16;
    private const int PayloadBytes = 56;
    private const int IPv4HeaderLengthUnit = 4;

    private readonly Socket _socket;
    private readonly bool _v6;
    private readonly bool _raw;
    private readonly TimeProvider _time;
    private readonly byte[] _token = RandomNumberGenerator.GetBytes(TokenBytes);

    /// <exception cref="UserException">No socket of either kind is to be had, or there is no route.</exception>
    public IcmpEcho(IPAddress from, IPAddress to, TimeProvider time)
    {
        _v6 = to.AddressFamily == AddressFamily.InterNetworkV6;
        _time = time;
        (_socket, _raw) = Open(to.AddressFamily);
        try
        {
            _socket.Bind(new IPEndPoint(from, 0));
            _socket.Connect(new IPEndPoint(to, 0));
        }
        catch (SocketException e)
        {
            _socket.Dispose();
            throw new UserException(ExitCode.NotUp, $"cannot send from {from} to {to}: {e.Message}", "Is the tunnel up? See: mesh status", e);
        }
    }

    /// <summary>Sends one echo and waits for its answer. Blocks for at most <paramref name="timeout"/>.</summary>
    /// <returns>Null when none came.</returns>
    public TimeSpan? Send(ushort sequence, TimeSpan timeout)
    {
        long sent = _time.GetTimestamp();
        try
        {
            _socket.Send(Request(sequence));
            Span<byte> answer = stackalloc byte[512];
            while (timeout - _time.GetElapsedTime(sent) is var left && left > TimeSpan.Zero)
            {
                _socket.ReceiveTimeout = Math.Max(1, (int)left.TotalMilliseconds);
                int length = _socket.Receive(answer);
                if (IsAnswer(answer[..length], sequence)) return _time.GetElapsedTime(sent);
            }
        }
        catch (SocketException)
        {
            // No answer in time, or the kernel or a router says that it can't be delivered: lost either way.
        }
        return null;
    }

    public void Dispose() => _socket.Dispose();

    private static (Socket Socket, bool Raw) Open(AddressFamily family)
    {
        var protocol = family == AddressFamily.InterNetworkV6 ? ProtocolType.IcmpV6 : ProtocolType.Icmp;
        try
        {
            return (new Socket(family, SocketType.Dgram, protocol), false);
        }
        catch (SocketException)
        {
            try
            {
                return (new Socket(family, SocketType.Raw, protocol), true);
            }
            catch (SocketException e)
            {
                throw new UserException(ExitCode.NoTunnelRights, $"the daemon may not send ICMP echoes: {e.Message}",
                    "Give it CAP_NET_RAW, or widen net.ipv4.ping_group_range.", e);
            }
        }
    }

    private byte[] Request(ushort sequence)
    {
        byte[] message = new byte[HeaderBytes + PayloadBytes];
        message[0] = _v6 ? (byte)128 : (byte)8;
        // The kernel sets the identifier of an echo socket and the checksum of IPv6; of raw IPv4 it is ours to do.
        _token.AsSpan(0, 2).CopyTo(message.AsSpan(4));
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(6), sequence);
        _token.CopyTo(message, HeaderBytes);
        if (!_v6) BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), Checksum(message));
        return message;
    }

    private bool IsAnswer(ReadOnlySpan<byte> message, ushort sequence)
    {
        if (_raw && !_v6)
        {
            if (message.IsEmpty) return false;
            int header = (message[0] & 0xf) * IPv4HeaderLengthUnit;
            if (message.Length < header) return false;
            message = message[header..];
        }
        return message.Length >= HeaderBytes + TokenBytes && message[0] == (_v6 ? 129 : 0)
            && BinaryPrimitives.ReadUInt16BigEndian(message[6..]) == sequence
            && message.Slice(HeaderBytes, TokenBytes).SequenceEqual(_token);
    }

    private static ushort Checksum(ReadOnlySpan<byte> message)
    {
        uint sum = 0;
        for (int i = 0; i < message.Length; i += 2) sum += BinaryPrimitives.ReadUInt16BigEndian(message[i..]);
        while (sum > ushort.MaxValue) sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)~sum;
    }
}
