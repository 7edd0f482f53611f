using Mesh.Node.Kernel;
using Mesh.Node.Offload;

namespace Mesh.Node.Udp;

/// <summary>
/// The underlay over Linux sockets: a socket of each family for each queue, all on one port. The kernel gives what one sender sends
/// to one of the queues, by addresses and ports. The sockets stay in the network namespace they were opened in.
/// </summary>
/// <remarks>Dispose only once no thread sends or receives: descriptors are numbers, and the kernel gives them out
/// again.</remarks>
public unsafe class LinuxUdpTransport : IUdpTransport
{
    private readonly Lock _settings = new();
    private readonly LinuxUdpQueue[] _queues = [];
    private uint _mark;
    private volatile int _port;
    private volatile OffloadSet _offloads;
    private int _maxSegments;

    /// <summary>A transport without sockets: nothing arrives, nothing leaves, until <see cref="Bind"/>.</summary>
    /// <param name="offloads">What may be left to the kernel.</param>
    public LinuxUdpTransport(OffloadSet offloads = OffloadSet.None, int queues = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(queues);
        LayoutCheck.Run();
        _queues = new LinuxUdpQueue[queues];
        for (int i = 0; i < queues; i++)
            _queues[i] = new LinuxUdpQueue(this);
        _offloads = offloads & (OffloadSet.UdpGso | OffloadSet.UdpGro);
        _maxSegments = _offloads.HasFlag(OffloadSet.UdpGso) ? LinuxUdpQueue.MostSegments : 1;
    }

    /// <summary>Closes a transport that was not disposed.</summary>
    ~LinuxUdpTransport() => Close();

    /// <inheritdoc/>
    public IReadOnlyList<IUdpQueue> Queues => _queues;

    /// <inheritdoc/>
    public int Port => _port;

    /// <summary>True while sockets are open.</summary>
    public bool IsBound => First.IsOpen;

    /// <inheritdoc/>
    public int PollFd4 => First.PollFd4;

    /// <inheritdoc/>
    public int PollFd6 => First.PollFd6;

    /// <inheritdoc/>
    public int MaxSegments => Volatile.Read(ref _maxSegments);

    /// <summary>What is left to the kernel.</summary>
    public OffloadSet Offloads => _offloads;

    /// <summary>The kernel has taken joined datagrams.</summary>
    internal volatile bool SegmentsProven;

    private LinuxUdpQueue First => _queues[0];

    /// <summary>Opens the sockets on a port; 0 picks one that is free in both families.</summary>
    /// <exception cref="UdpException">The port is taken, or needs rights.</exception>
    public static LinuxUdpTransport Open(int port, OffloadSet offloads = OffloadSet.None, int queues = 1)
    {
        var transport = new LinuxUdpTransport(offloads, queues);
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
            OpenSockets(port);
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
            if (port != _port)
                OpenSockets(port);
        }
    }

    /// <inheritdoc/>
    public void SetFwmark(uint mark)
    {
        lock (_settings)
        {
            foreach (LinuxUdpQueue queue in _queues)
                queue.SetMark(mark);
            _mark = mark;
        }
    }

    /// <inheritdoc/>
    public UdpSendResult Send(ReadOnlySpan<byte> datagram, in UdpEndpoint endpoint) => First.Send(datagram, endpoint);

    /// <inheritdoc/>
    public int SendBatch(UdpSendBatch batch) => First.SendBatch(batch);

    /// <inheritdoc/>
    public int ReceiveBatch(UdpReceiveBatch batch) => First.ReceiveBatch(batch);

    /// <inheritdoc/>
    public void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    /// <summary>The kernel's sendmmsg. Tests play older kernels here.</summary>
    internal virtual int SendMessages(int fd, MMsgHdr* headers, int count) => Libc.sendmmsg(fd, headers, (uint)count, Libc.MSG_NOSIGNAL);

    internal void NoteSegments(int count)
    {
        // Written once: all senders read it.
        if (count > 1 && !SegmentsProven)
            SegmentsProven = true;
    }

    /// <summary>The kernel takes no more in one than so many.</summary>
    /// <returns>What is left.</returns>
    internal int Shrink(int segments)
    {
        while (true)
        {
            int before = MaxSegments;
            if (before <= segments || Interlocked.CompareExchange(ref _maxSegments, segments, before) == before)
                return Math.Min(before, segments);
        }
    }

    private void OpenSockets(int port)
    {
        OffloadSet offloads = _offloads;
        var (pairs, bound) = UdpSockets.Open(port, _mark, _queues.Length, ref offloads);
        _offloads = offloads;
        if (!offloads.HasFlag(OffloadSet.UdpGso))
            Shrink(1);
        for (int i = 0; i < pairs.Length; i++)
            _queues[i].Take(pairs[i].Fd4, pairs[i].Fd6);
        _port = bound;
    }

    private void Close()
    {
        foreach (LinuxUdpQueue queue in _queues)
            queue.Close();
    }
}
