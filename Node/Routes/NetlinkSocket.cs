using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mesh.Node.Kernel;

namespace Mesh.Node.Routes;

/// <summary>Makes a result of one message of an answer, or null to pass it over.</summary>
internal delegate T? NetlinkParser<T>(NetlinkType type, ReadOnlySpan<byte> payload)
    where T : class;

/// <summary>
/// A NETLINK_ROUTE socket: requests and their answers, or notifications. It stays in the network namespace that the
/// opening thread was in. One thread at a time.
/// </summary>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    private const int SolSocket = 1;
    private const int SoRcvTimeo = 20;
    private const int SolNetlink = 270;
    private const int NetlinkCapAck = 10;
    private const int NetlinkExtAck = 11;
    private const int DumpAttempts = 5;

    // The kernel fills at most 32 KiB at a time.
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _fd;
    private uint _sequence;

    /// <param name="groups">RTMGRP_* bits of the notifications wanted; 0 for a socket that makes requests.</param>
    public NetlinkSocket(uint groups = 0)
    {
        const string Operation = "open a netlink socket";
        _fd = Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, 0);
        if (_fd < 0)
            throw new NetlinkException(Operation, Marshal.GetLastPInvokeError());
        // Short acknowledgements, and the kernel's own words on what was wrong; both are comfort only.
        _ = Libc.SetOption(_fd, SolNetlink, NetlinkCapAck, 1);
        _ = Libc.SetOption(_fd, SolNetlink, NetlinkExtAck, 1);
        var timeout = new TimeVal { Seconds = 5 };
        _ = Libc.setsockopt(_fd, SolSocket, SoRcvTimeo, &timeout, (uint)sizeof(TimeVal));
        var address = new SockAddrNetlink { Family = Libc.AF_NETLINK, Groups = groups };
        if (Libc.bind(_fd, &address, (uint)sizeof(SockAddrNetlink)) != 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            Dispose();
            throw new NetlinkException(Operation, errno);
        }
    }

    /// <summary>The descriptor to poll for notifications.</summary>
    public int Fd => _fd;

    /// <summary>Makes a change and waits until it is done.</summary>
    /// <param name="operation">In words that follow "cannot".</param>
    /// <exception cref="NetlinkException">The kernel refused.</exception>
    public void Request(NetlinkMessage message, string operation)
    {
        int errno = Converse<object>(message, operation, null, null, out string? detail);
        if (errno != 0)
            throw Failure(operation, errno, detail);
    }

    /// <summary>As <see cref="Request"/>, but one errno counts as "nothing to do".</summary>
    /// <returns>False when that errno came back.</returns>
    public bool TryRequest(NetlinkMessage message, string operation, int expectedErrno)
    {
        int errno = Converse<object>(message, operation, null, null, out string? detail);
        if (errno != 0 && errno != expectedErrno)
            throw Failure(operation, errno, detail);
        return errno == 0;
    }

    /// <summary>Asks, and gathers the answers, repeating a dump that changed while it was read.</summary>
    /// <param name="absentErrnos">What the kernel says when there is no such thing: an empty list then.</param>
    public List<T> Query<T>(
        NetlinkMessage message, string operation, NetlinkParser<T> parse, params ReadOnlySpan<int> absentErrnos)
        where T : class
    {
        var results = new List<T>();
        int errno = 0;
        string? detail = null;
        for (int attempt = 0; attempt < DumpAttempts; attempt++)
        {
            results.Clear();
            errno = Converse(message, operation, parse, results, out detail);
            if (errno != Errno.EINTR)
                break;
        }
        if (errno != 0 && !absentErrnos.Contains(errno))
            throw Failure(operation, errno, detail);
        return results;
    }

    /// <summary>Takes in the notifications that wait, without blocking.</summary>
    /// <param name="received">One buffer of messages. Empty when none waits.</param>
    /// <returns>False when the kernel had to drop notifications: anything may have changed.</returns>
    public bool TryReceive(out ReadOnlySpan<byte> received)
    {
        int length = Receive(Libc.MSG_DONTWAIT, out int errno);
        received = _buffer.AsSpan(0, Math.Max(length, 0));
        return length >= 0 || errno != Errno.ENOBUFS;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_fd >= 0)
            _ = Libc.close(_fd);
        _fd = -1;
    }

    private static NetlinkException Failure(string operation, int errno, string? detail) =>
        errno == Errno.EPERM
            ? new NetlinkException(operation, errno, "It needs root or CAP_NET_ADMIN")
            : new NetlinkException(operation, errno, detail);

    /// <summary>Returns 0 or the errno of the answer; EINTR is an answer that changed while it was read.</summary>
    private int Converse<T>(
        NetlinkMessage message, string operation, NetlinkParser<T>? parse, List<T>? results, out string? detail)
        where T : class
    {
        detail = null;
        uint sequence = ++_sequence;
        Send(message.Finish(sequence), operation);
        bool interrupted = false;
        while (true)
        {
            int length = Receive(0, out int errno);
            if (length < 0)
                throw new NetlinkException(operation, errno);
            var reader = new NetlinkReader(_buffer.AsSpan(0, length));
            while (reader.MoveNext())
            {
                // An answer to an earlier request that failed half-way.
                if (reader.Header.Sequence != sequence)
                    continue;
                interrupted |= (reader.Header.Flags & NetlinkFlags.DumpInterrupted) != 0;
                switch (reader.Header.Type)
                {
                    case NetlinkType.Error:
                        return ReadError(reader.Header.Flags, reader.Payload, out detail);
                    case NetlinkType.Done:
                        int result = reader.Payload.Length >= 4 ? -MemoryMarshal.Read<int>(reader.Payload) : 0;
                        return result == 0 && interrupted ? Errno.EINTR : result;
                    default:
                        if (parse?.Invoke(reader.Header.Type, reader.Payload) is { } item)
                            results!.Add(item);
                        break;
                }
            }
        }
    }

    private static int ReadError(NetlinkFlags flags, ReadOnlySpan<byte> payload, out string? detail)
    {
        detail = null;
        if (payload.Length < 4)
            return Errno.EIO;
        int errno = -MemoryMarshal.Read<int>(payload);
        int attributes = 4 + Unsafe.SizeOf<NetlinkHeader>();
        if (errno != 0 && (flags & NetlinkFlags.Exclusive) != 0 && payload.Length > attributes)
        {
            var reader = new NetlinkAttributeReader(payload[attributes..]);
            while (reader.MoveNext())
            {
                if (reader.Type == NetlinkAttributes.ErrorText)
                    detail = $"The kernel says: {reader.Text}";
            }
        }
        return errno;
    }

    private void Send(ReadOnlySpan<byte> message, string operation)
    {
        fixed (byte* data = message)
        {
            while (Libc.send(_fd, data, (nuint)message.Length, 0) < 0)
            {
                int errno = Marshal.GetLastPInvokeError();
                if (errno != Errno.EINTR)
                    throw new NetlinkException(operation, errno);
            }
        }
    }

    private int Receive(int flags, out int errno)
    {
        errno = 0;
        fixed (byte* data = _buffer)
        {
            while (true)
            {
                nint length = Libc.recv(_fd, data, (nuint)_buffer.Length, flags);
                if (length >= 0)
                    return (int)length;
                errno = Marshal.GetLastPInvokeError();
                if (errno != Errno.EINTR)
                    return -1;
            }
        }
    }
}
