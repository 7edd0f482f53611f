using System.Runtime.InteropServices;
using Mesh.Node.Kernel;

namespace Mesh.Node.Udp;

/// <summary>
/// A socket of each family: recvmmsg and sendmmsg, segmentation and receive offload, and packet information for sticky sources.
/// What the kernel turns out not to do is the transport's to know, as it holds for all its queues.
/// </summary>
internal sealed unsafe class LinuxUdpQueue(LinuxUdpTransport transport) : IUdpQueue
{
    private const int AddressSize = 28;
    private const int ControlSize = 40;

    // Linux before 6.9 takes 64 segments, later ones 128: found out by a refusal.
    internal const int MostSegments = 128;
    private const int FewerSegments = 64;

    private volatile int _fd4 = -1;
    private volatile int _fd6 = -1;
    private bool _turn;

    /// <inheritdoc/>
    public int Port => transport.Port;

    /// <inheritdoc/>
    public int PollFd4 => _fd4;

    /// <inheritdoc/>
    public int PollFd6 => _fd6;

    /// <inheritdoc/>
    public int MaxSegments => transport.MaxSegments;

    /// <summary>True while sockets are open.</summary>
    public bool IsOpen => _fd4 >= 0 || _fd6 >= 0;

    /// <summary>Takes new sockets (-1 for a family that the kernel lacks) in the place of those it has.</summary>
    public void Take(int fd4, int fd6)
    {
        _fd4 = Replace(_fd4, fd4);
        _fd6 = Replace(_fd6, fd6);
    }

    public void SetMark(uint mark)
    {
        if (_fd4 >= 0)
            UdpSockets.SetMark(_fd4, mark);
        if (_fd6 >= 0)
            UdpSockets.SetMark(_fd6, mark);
    }

    public void Close()
    {
        UdpSockets.Close(_fd4);
        UdpSockets.Close(_fd6);
        (_fd4, _fd6) = (-1, -1);
    }

    /// <inheritdoc cref="IUdpTransport.Send"/>
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
                if (message.ControlLength == 0 || !IsOfSource(errno))
                    return ResultOf(errno);
                message.ControlLength = 0;
                sent = UdpSendResult.SentWithoutSource;
            }
            return sent;
        }
    }

    /// <inheritdoc/>
    public int SendBatch(UdpSendBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        int runs = batch.RunCount;
        for (int i = 0; i < runs; i++)
        {
            ref UdpSendRun run = ref batch.Run(i);
            batch.WriteHeader(i, run, 0, run.Count);
        }
        int sent = 0;
        for (int next = 0; next < runs;)
        {
            UdpFamily family = batch.Run(next).Endpoint.Family;
            int end = next + 1;
            while (end < runs && batch.Run(end).Endpoint.Family == family)
                end++;
            sent += SendRuns(batch, FdOf(family), next, end, out bool full);
            if (full)
            {
                // Waiting again for each of the rest would hold this thread for seconds.
                for (int i = next; i < runs; i++)
                {
                    if (batch.Run(i).Result == UdpSendResult.None)
                        batch.Run(i).Result = UdpSendResult.WouldBlock;
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
        batch.Count = count == batch.Limit ? count : Receive(batch, second, count);
        return batch.Count;
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

    private int SendRuns(UdpSendBatch batch, int fd, int next, int end, out bool full)
    {
        full = false;
        int sent = 0;
        while (next < end && !full)
        {
            int done = fd >= 0 ? transport.SendMessages(fd, batch.Headers + next, end - next) : 0;
            for (int i = 0; i < done; i++, next++)
            {
                ref UdpSendRun run = ref batch.Run(next);
                run.Result = UdpSendResult.Sent;
                sent += run.Count;
                transport.NoteSegments(run.Count);
            }
            if (done <= 0)
                sent += SendApart(batch, fd, next++, fd < 0 ? Errno.ENETUNREACH : Marshal.GetLastPInvokeError(), out full);
        }
        return sent;
    }

    /// <summary>Goes on with a run that the kernel refused: without its source, in smaller parts, or with its failure noted.</summary>
    /// <param name="errno">Of the refusal of the whole run.</param>
    private int SendApart(UdpSendBatch batch, int fd, int index, int errno, out bool full)
    {
        ref UdpSendRun run = ref batch.Run(index);
        int first = 0, part = run.Count;
        bool withSource = run.Endpoint.HasSource;
        while (true)
        {
            int count = Math.Min(part, run.Count - first);
            if (errno == 0)
            {
                first += count;
                transport.NoteSegments(count);
                if (first == run.Count)
                    break;
            }
            else if (withSource && IsOfSource(errno))
            {
                withSource = false;
            }
            else if (count > 1 && errno is Errno.EIO or Errno.EINVAL or Errno.EMSGSIZE)
            {
                part = SmallerPart(count, errno);
            }
            else if (errno != Errno.EINTR)
            {
                break;
            }
            batch.WriteHeader(index, run, first, Math.Min(part, run.Count - first), withSource);
            errno = transport.SendMessages(fd, batch.Headers + index, 1) == 1 ? 0 : Marshal.GetLastPInvokeError();
        }
        full = errno == Errno.EAGAIN;
        run.Result = errno != 0 ? ResultOf(errno) : withSource == run.Endpoint.HasSource ? UdpSendResult.Sent : UdpSendResult.SentWithoutSource;
        return first;
    }

    /// <summary>
    /// How many datagrams to try as one where so many were refused: what older kernels take, or 1. EIO says that the interface there
    /// can't make checksums; EINVAL, where none ever were taken, that the kernel can't do it at all. Else (EINVAL, EMSGSIZE) the
    /// path's MTU is smaller than a datagram: single ones are fragmented, joined ones never.
    /// </summary>
    private int SmallerPart(int refused, int errno)
    {
        if (errno == Errno.EINVAL && refused > FewerSegments)
            return transport.Shrink(FewerSegments);
        if (errno == Errno.EIO || (errno == Errno.EINVAL && !transport.SegmentsProven))
            transport.Shrink(1);
        return 1;
    }

    /// <summary>
    /// A failure that a source which is no longer this host's would cause (EINVAL; ENETUNREACH for IPv4 on newer kernels).
    /// </summary>
    private static bool IsOfSource(int errno) => errno is Errno.EINVAL or Errno.ENETUNREACH or Errno.EADDRNOTAVAIL;

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
            uint room = (uint)(batch.Limit - start);
            received = Libc.recvmmsg(fd, batch.Headers + start, room, Libc.MSG_DONTWAIT, null);
            if (received < 0 && Marshal.GetLastPInvokeError() == Errno.EAGAIN)
                return start;
        }
        for (int i = start; i < start + received; i++)
        {
            ref MMsgHdr header = ref batch.Headers[i];
            bool cut = (header.Header.Flags & Libc.MSG_TRUNC) != 0;
            UdpEndpoint from = SocketAddress.Read(header.Header, out int segmentSize, out int ecn);
            batch.Set(i, cut ? 0 : (int)header.Length, from, segmentSize, ecn);
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
}
