using System.Runtime.InteropServices;
using Mesh.Node.Kernel;

namespace Mesh.Node.Udp;

/// <summary>
/// The underlay over Linux sockets: recvmmsg and sendmmsg, and packet information for sticky sources. The sockets
/// stay in the network namespace they were opened in.
/// </summary>
/// <remarks>Dispose only once no thread sends or receives: descriptors are numbers, and the kernel gives them out
/// again.</remarks>
public sealed unsafe class LinuxUdpTransport : IUdpTransport
{
    private const int AddressSize = 28;
    private const int ControlSize = 40;

    private readonly Lock _settings = new();
    private uint _mark;
    private volatile int _fd4;
    private volatile int _fd6;
    private volatile int _port;
    private bool _turn;

    /// <summary>A transport without sockets: nothing arrives, nothing leaves, until <see cref="Bind"/>.</summary>
    public LinuxUdpTransport()
    {
        LayoutCheck.Run();
        (_fd4, _fd6) = (-1, -1);
    }

    /// <summary>Closes a transport that was not disposed.</summary>
    ~LinuxUdpTransport() => Close();

    /// <inheritdoc/>
    public int Port => _port;

    /// <summary>True while sockets are open.</summary>
    public bool IsBound => _fd4 >= 0 || _fd6 >= 0;

    /// <inheritdoc/>
    public int PollFd4 => _fd4;

    /// <inheritdoc/>
    public int PollFd6 => _fd6;

    /// <summary>Opens the sockets on a port; 0 picks one that is free in both families.</summary>
    /// <exception cref="UdpException">The port is taken, or needs rights.</exception>
    public static LinuxUdpTransport Open(int port)
    {
        var transport = new LinuxUdpTransport();
        transport.Bind(port);
        return transport;
    }

    /// <summary>Opens the sockets, in the calling thread's network namespace; 0 picks a port that is free in both families.</summary>
    /// <exception cref="UdpException">The port is taken, or needs rights; nothing is open then.</exception>
    public void Bind(int port)
    {
        lock (_settings)
        {
            if (IsBound)
                throw new InvalidOperationException("the sockets are open: use ChangePort");
            (_fd4, _fd6, _port) = UdpSockets.Open(port, _mark);
        }
    }

    /// <summary>Closes the sockets. Only while no thread sends or receives.</summary>
    public void Unbind()
    {
        lock (_settings)
            Close();
    }

    /// <inheritdoc/>
    public void ChangePort(int port)
    {
        lock (_settings)
        {
            if (port == _port)
                return;
            (int fd4, int fd6, int bound) = UdpSockets.Open(port, _mark);
            _fd4 = Replace(_fd4, fd4);
            _fd6 = Replace(_fd6, fd6);
            _port = bound;
        }
    }

    /// <inheritdoc/>
    public void SetFwmark(uint mark)
    {
        lock (_settings)
        {
            if (_fd4 >= 0)
                UdpSockets.SetMark(_fd4, mark);
            if (_fd6 >= 0)
                UdpSockets.SetMark(_fd6, mark);
            _mark = mark;
        }
    }

    /// <inheritdoc/>
    public UdpSendResult Send(ReadOnlySpan<byte> datagram, in UdpEndpoint endpoint)
    {
        int fd = FdOf(endpoint.Family);
        if (fd < 0)
            return UdpSendResult.Unreachable;
        byte* address = stackalloc byte[AddressSize];
        byte* control = stackalloc byte[ControlSize];
        fixed (byte* data = datagram)
        {
            var iov = new IoVec { Base = data, Length = (nuint)datagram.Length };
            MsgHdr message = default;
            message.Name = address;
            message.NameLength = SocketAddress.WriteAddress(endpoint, address);
            message.Iov = &iov;
            message.IovLength = 1;
            message.Control = control;
            message.ControlLength = SocketAddress.WriteSource(endpoint, control);
            UdpSendResult sent = UdpSendResult.Sent;
            while (Libc.sendmsg(fd, &message, Libc.MSG_NOSIGNAL) < 0)
            {
                int errno = Marshal.GetLastPInvokeError();
                if (errno == Errno.EINTR)
                    continue;
                if (!DropSource(ref message, errno))
                    return ResultOf(errno);
                sent = UdpSendResult.SentWithoutSource;
            }
            return sent;
        }
    }

    /// <inheritdoc/>
    public int SendBatch(UdpSendBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        int count = batch.Count;
        MMsgHdr* headers = batch.Headers;
        for (int i = 0; i < count; i++)
        {
            ref readonly UdpEndpoint endpoint = ref batch.Endpoint(i);
            headers[i].Header.NameLength = SocketAddress.WriteAddress(endpoint, headers[i].Header.Name);
            headers[i].Header.Control = batch.ControlOf(i);
            headers[i].Header.ControlLength = SocketAddress.WriteSource(endpoint, headers[i].Header.Control);
        }
        int sent = 0;
        int next = 0;
        while (next < count)
        {
            UdpFamily family = batch.Endpoint(next).Family;
            int end = next + 1;
            while (end < count && batch.Endpoint(end).Family == family)
                end++;
            sent += SendRun(batch, FdOf(family), next, end, out bool full);
            if (full)
            {
                // Waiting again for each of the rest would hold this thread for seconds.
                for (int i = next; i < count; i++)
                {
                    if (batch.Result(i) == UdpSendResult.None)
                        batch.SetResult(i, UdpSendResult.WouldBlock);
                }
                break;
            }
            next = end;
        }
        return sent;
    }

    /// <inheritdoc/>
    public int ReceiveBatch(UdpReceiveBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        // By turns, so that a flood in one family cannot starve the other.
        _turn = !_turn;
        (int first, int second) = _turn ? (_fd4, _fd6) : (_fd6, _fd4);
        int count = Receive(batch, first, 0);
        batch.Count = count == batch.Capacity ? count : Receive(batch, second, count);
        return batch.Count;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    /// <summary>Puts a new socket in an old one's place: the number stays, so that nobody holds a stale one.</summary>
    private static int Replace(int old, int replacement)
    {
        if (old < 0 || replacement < 0)
            return old < 0 ? replacement : old;
        int result = Libc.dup3(replacement, old, Libc.O_CLOEXEC);
        int errno = Marshal.GetLastPInvokeError();
        _ = Libc.close(replacement);
        return result >= 0 ? old : throw new UdpException("change the UDP port", errno);
    }

    private static int SendRun(UdpSendBatch batch, int fd, int next, int end, out bool full)
    {
        full = false;
        int sent = 0;
        while (next < end)
        {
            MMsgHdr* header = batch.Headers + next;
            int errno = Errno.ENETUNREACH;
            if (fd >= 0)
            {
                int done = Libc.sendmmsg(fd, header, (uint)(end - next), Libc.MSG_NOSIGNAL);
                for (int i = 0; i < done; i++, next++)
                {
                    bool dropped = header[i].Header.Control == null;
                    batch.SetResult(next, dropped ? UdpSendResult.SentWithoutSource : UdpSendResult.Sent);
                    sent++;
                }
                if (done > 0)
                    continue;
                errno = Marshal.GetLastPInvokeError();
                if (errno == Errno.EINTR || DropSource(ref header->Header, errno))
                    continue;
            }
            batch.SetResult(next++, ResultOf(errno));
            if (errno == Errno.EAGAIN)
            {
                full = true;
                break;
            }
        }
        return sent;
    }

    /// <summary>
    /// After a failure that a source which is no longer this host's would cause (EINVAL; ENETUNREACH for IPv4 on newer
    /// kernels), takes the source out of the message.
    /// </summary>
    /// <returns>True when the message should be sent again.</returns>
    private static bool DropSource(ref MsgHdr message, int errno)
    {
        if (errno is not (Errno.EINVAL or Errno.ENETUNREACH or Errno.EADDRNOTAVAIL) || message.ControlLength == 0)
            return false;
        message.Control = null;
        message.ControlLength = 0;
        return true;
    }

    private static UdpSendResult ResultOf(int errno) => errno switch
    {
        Errno.EAGAIN or Errno.ENOBUFS => UdpSendResult.WouldBlock,
        Errno.ENETUNREACH or Errno.EHOSTUNREACH or Errno.ENETDOWN or Errno.ENODEV or Errno.EADDRNOTAVAIL =>
            UdpSendResult.Unreachable,
        Errno.EMSGSIZE => UdpSendResult.TooLarge,
        Errno.EPERM or Errno.EACCES => UdpSendResult.NotPermitted,
        _ => UdpSendResult.Failed,
    };

    private static int Receive(UdpReceiveBatch batch, int fd, int start)
    {
        if (fd < 0)
            return start;
        int received = -1;
        // EINTR, or an error that an ICMP message left on the socket: that call took nothing, so ask again.
        for (int attempt = 0; attempt < 3 && received < 0; attempt++)
        {
            uint room = (uint)(batch.Capacity - start);
            received = Libc.recvmmsg(fd, batch.Headers + start, room, Libc.MSG_DONTWAIT, null);
            if (received < 0 && Marshal.GetLastPInvokeError() == Errno.EAGAIN)
                return start;
        }
        for (int i = start; i < start + received; i++)
        {
            ref MMsgHdr header = ref batch.Headers[i];
            bool cut = (header.Header.Flags & Libc.MSG_TRUNC) != 0;
            batch.Set(i, cut ? 0 : (int)header.Length, SocketAddress.Read(header.Header));
            batch.Rearm(i);
        }
        return start + Math.Max(received, 0);
    }

    private int FdOf(UdpFamily family) => family switch
    {
        UdpFamily.IPv4 => _fd4,
        UdpFamily.IPv6 => _fd6,
        _ => -1,
    };

    private void Close()
    {
        if (_fd4 >= 0)
            _ = Libc.close(_fd4);
        if (_fd6 >= 0)
            _ = Libc.close(_fd6);
        (_fd4, _fd6) = (-1, -1);
    }
}
