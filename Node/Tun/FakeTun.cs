using Mesh.Node.Kernel;

namespace Mesh.Node.Tun;

/// <summary>
/// A TUN device in memory, for tests and simulations of the device above it: the test plays the host. Both queues are
/// bounded; a packet that finds its queue full is dropped, as a kernel does. Safe from any thread.
/// </summary>
public sealed class FakeTun : ITunDevice
{
    private readonly Lock _gate = new();
    private readonly EventFlag _readable = new();
    private readonly AutoResetEvent _arrived = new(false);
    private readonly PacketRing _fromHost;
    private readonly PacketRing _toHost;
    private volatile int _mtu;
    private bool _gone;

    /// <param name="name">What it is called.</param>
    /// <param name="mtu">Its MTU in bytes.</param>
    /// <param name="capacity">The most packets that wait in each direction.</param>
    public FakeTun(string name = "fake0", int mtu = 1420, int capacity = 1024)
    {
        Name = name;
        _mtu = mtu;
        _fromHost = new PacketRing(capacity);
        _toHost = new PacketRing(capacity);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Mtu => _mtu;

    /// <inheritdoc/>
    public int PollFd => _readable.Fd;

    /// <summary>Plays an administrator who changes the MTU.</summary>
    public void SetMtu(int mtu) => _mtu = mtu;

    /// <summary>Plays an administrator who deletes the interface: the device's calls throw from now on.</summary>
    public void Remove()
    {
        lock (_gate)
        {
            _gone = true;
            _readable.Set();
        }
    }

    /// <summary>Plays the host sending a packet through the interface. False when the queue is full.</summary>
    public bool Inject(ReadOnlySpan<byte> packet)
    {
        lock (_gate)
        {
            if (!_fromHost.TryAdd(packet))
                return false;
            _readable.Set();
            return true;
        }
    }

    /// <summary>Plays the host receiving: takes the oldest packet that the device has written.</summary>
    /// <param name="packet">Room for it; a longer packet is cut off.</param>
    /// <param name="length">Its length.</param>
    /// <param name="timeout">How long to wait for one (in real time); by default not at all.</param>
    public bool TryTake(Span<byte> packet, out int length, TimeSpan timeout = default)
    {
        while (true)
        {
            lock (_gate)
            {
                if (_toHost.TryTake(packet, out length))
                    return true;
            }
            if (timeout == default || !_arrived.WaitOne(timeout))
                return false;
        }
    }

    /// <inheritdoc/>
    public int Read(Span<byte> packet)
    {
        lock (_gate)
        {
            ThrowIfGone("read a packet from");
            bool taken = _fromHost.TryTake(packet, out int length);
            if (_fromHost.IsEmpty)
                _readable.Clear();
            return taken ? length : 0;
        }
    }

    /// <inheritdoc/>
    public bool Write(ReadOnlySpan<byte> packet)
    {
        lock (_gate)
        {
            ThrowIfGone("write a packet to");
            if (!_toHost.TryAdd(packet))
                return false;
        }
        _arrived.Set();
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _readable.Dispose();
        _arrived.Dispose();
    }

    private void ThrowIfGone(string what)
    {
        if (_gone)
            throw new TunException(TunFailure.Gone, $"{what} {Name}", Errno.EBADFD, "The interface was deleted");
    }

    /// <summary>A bounded queue of packets that keeps its buffers: allocates only until it has seen its fill.</summary>
    private sealed class PacketRing(int capacity)
    {
        private readonly byte[]?[] _buffers = new byte[capacity][];
        private readonly int[] _lengths = new int[capacity];
        private int _first;
        private int _count;

        public bool IsEmpty => _count == 0;

        public bool TryAdd(ReadOnlySpan<byte> packet)
        {
            if (_count == capacity || packet.IsEmpty)
                return false;
            int slot = (_first + _count) % capacity;
            if (_buffers[slot] is not { } buffer || buffer.Length < packet.Length)
                _buffers[slot] = buffer = new byte[Math.Max(packet.Length, 2048)];
            packet.CopyTo(buffer);
            _lengths[slot] = packet.Length;
            _count++;
            return true;
        }

        public bool TryTake(Span<byte> packet, out int length)
        {
            length = 0;
            if (_count == 0)
                return false;
            length = Math.Min(_lengths[_first], packet.Length);
            _buffers[_first].AsSpan(0, length).CopyTo(packet);
            _first = (_first + 1) % capacity;
            _count--;
            return true;
        }
    }
}
