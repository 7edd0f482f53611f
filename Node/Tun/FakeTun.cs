using Mesh.Node.Kernel;
using Mesh.Node.Offload;

namespace Mesh.Node.Tun;

/// <summary>
/// A TUN device in memory, for tests and simulations of the device above it: the test plays the host, and says which queue a packet
/// of the host comes in. Whatever waits is bounded; a packet that finds no room is dropped, as a kernel does. Safe from any thread.
/// </summary>
public sealed unsafe class FakeTun : ITunDevice
{
    private readonly Lock _gate = new();
    private readonly AutoResetEvent _arrived = new(false);
    private readonly HostQueue[] _queues;
    private readonly PacketRing _toHost;
    private volatile int _mtu;
    private volatile OffloadSet _offloads;
    private bool _gone;

    /// <param name="name">What it is called.</param>
    /// <param name="mtu">Its MTU in bytes.</param>
    /// <param name="capacity">The most packets that wait in each direction.</param>
    /// <param name="offloads">The superpackets that its kernel knows: none by default.</param>
    public FakeTun(string name = "fake0", int mtu = 1420, int capacity = 1024, OffloadSet offloads = OffloadSet.None, int queues = 1)
    {
        Name = name;
        _mtu = mtu;
        _offloads = offloads & OffloadSet.Tun;
        _queues = new HostQueue[queues];
        for (int i = 0; i < queues; i++)
            _queues[i] = new HostQueue(this, capacity);
        _toHost = new PacketRing(capacity);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Mtu => _mtu;

    /// <inheritdoc/>
    public IReadOnlyList<ITunQueue> Queues => _queues;

    /// <inheritdoc/>
    public int PollFd => _queues[0].PollFd;

    /// <inheritdoc/>
    public OffloadSet Offloads => _offloads;

    /// <summary>Plays a kernel that says it takes superpackets and then refuses each (Linux 6.6.44).</summary>
    public bool RefusesSuperpackets { get; set; }

    /// <summary>Plays an administrator who changes the MTU.</summary>
    public void SetMtu(int mtu) => _mtu = mtu;

    /// <summary>Plays an administrator who deletes the interface: the device's calls throw from now on.</summary>
    public void Remove()
    {
        lock (_gate)
        {
            _gone = true;
            foreach (HostQueue queue in _queues)
                queue.Readable.Set();
        }
    }

    /// <summary>Plays the host sending a packet through the interface. False when the queue is full.</summary>
    public bool Inject(ReadOnlySpan<byte> packet) => Inject(packet, default);

    /// <summary>Plays the host sending a superpacket, or a packet without its checksum.</summary>
    public bool Inject(ReadOnlySpan<byte> packet, in VirtioNetHeader header, int queue = 0)
    {
        lock (_gate)
        {
            if (!_queues[queue].FromHost.TryAdd(packet, header))
                return false;
            _queues[queue].Readable.Set();
            return true;
        }
    }

    /// <summary>Plays the host receiving: takes the oldest packet that the device has written.</summary>
    /// <param name="packet">Room for it; a longer packet is cut off.</param>
    /// <param name="length">Its length.</param>
    /// <param name="timeout">How long to wait for one (in real time); by default not at all.</param>
    public bool TryTake(Span<byte> packet, out int length, TimeSpan timeout = default) => TryTake(packet, out length, out _, timeout);

    /// <inheritdoc cref="TryTake(Span{byte}, out int, TimeSpan)"/>
    public bool TryTake(Span<byte> packet, out int length, out VirtioNetHeader header, TimeSpan timeout = default)
    {
        while (true)
        {
            lock (_gate)
            {
                if (_toHost.TryTake(packet, out length, out header))
                    return true;
            }
            if (timeout == default || !_arrived.WaitOne(timeout))
                return false;
        }
    }

    /// <inheritdoc/>
    public int Read(Span<byte> packet, out VirtioNetHeader header) => _queues[0].Read(packet, out header);

    /// <inheritdoc/>
    public TunWriteResult Write(in VirtioNetHeader header, Span<IoVec> parts)
    {
        lock (_gate)
        {
            ThrowIfGone("write a packet to");
            if (header.IsSuperpacket && !Takes(header))
                return TunWriteResult.NoOffload;
            if (!_toHost.TryAdd(parts[1..], header))
                return TunWriteResult.Refused;
        }
        _arrived.Set();
        return TunWriteResult.Taken;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (HostQueue queue in _queues)
            queue.Readable.Dispose();
        _arrived.Dispose();
    }

    private bool Takes(in VirtioNetHeader header)
    {
        OffloadSet kind = header.GsoType == VirtioNetHeader.GsoUdp ? OffloadSet.TunUdpGro : OffloadSet.TunTcpGro;
        if (RefusesSuperpackets)
            _offloads &= ~kind;
        return (_offloads & kind) != 0;
    }

    private void ThrowIfGone(string what)
    {
        if (_gone)
            throw new TunException(TunFailure.Gone, $"{what} {Name}", Errno.EBADFD, "The interface was deleted");
    }

    private sealed class HostQueue(FakeTun tun, int capacity) : ITunQueue
    {
        public PacketRing FromHost { get; } = new(capacity);

        public EventFlag Readable { get; } = new();

        public int PollFd => Readable.Fd;

        public OffloadSet Offloads => tun.Offloads;

        public int Read(Span<byte> packet, out VirtioNetHeader header)
        {
            lock (tun._gate)
            {
                tun.ThrowIfGone("read a packet from");
                bool taken = FromHost.TryTake(packet, out int length, out header);
                if (FromHost.IsEmpty)
                    Readable.Clear();
                return taken ? length : 0;
            }
        }

        public TunWriteResult Write(in VirtioNetHeader header, Span<IoVec> parts) => tun.Write(header, parts);
    }

    /// <summary>A bounded queue of packets that keeps its buffers: allocates only until it has seen its fill.</summary>
    private sealed class PacketRing(int capacity)
    {
        private readonly byte[]?[] _buffers = new byte[capacity][];
        private readonly (int Length, VirtioNetHeader Header)[] _packets = new (int, VirtioNetHeader)[capacity];
        private int _first;
        private int _count;

        public bool IsEmpty => _count == 0;

        public bool TryAdd(ReadOnlySpan<byte> packet, in VirtioNetHeader header)
        {
            if (_count == capacity || packet.IsEmpty)
                return false;
            packet.CopyTo(Next(packet.Length, header));
            return true;
        }

        public bool TryAdd(ReadOnlySpan<IoVec> parts, in VirtioNetHeader header)
        {
            int length = 0;
            foreach (ref readonly IoVec part in parts)
                length += (int)part.Length;
            if (_count == capacity || length == 0)
                return false;
            Span<byte> rest = Next(length, header);
            foreach (ref readonly IoVec part in parts)
            {
                new ReadOnlySpan<byte>(part.Base, (int)part.Length).CopyTo(rest);
                rest = rest[(int)part.Length..];
            }
            return true;
        }

        public bool TryTake(Span<byte> packet, out int length, out VirtioNetHeader header)
        {
            (length, header) = (0, default);
            if (_count == 0)
                return false;
            header = _packets[_first].Header;
            length = Math.Min(_packets[_first].Length, packet.Length);
            _buffers[_first].AsSpan(0, length).CopyTo(packet);
            _first = (_first + 1) % capacity;
            _count--;
            return true;
        }

        private Span<byte> Next(int length, in VirtioNetHeader header)
        {
            int slot = (_first + _count++) % capacity;
            if (_buffers[slot] is not { } buffer || buffer.Length < length)
                _buffers[slot] = buffer = new byte[Math.Max(length, 2048)];
            _packets[slot] = (length, header);
            return buffer.AsSpan(0, length);
        }
    }
}
