using System.Net;
using Mesh.Node.Kernel;

namespace Mesh.Node.Udp;

/// <summary>A transport on a <see cref="FakeUdpNetwork"/>. Its receive queues are bounded, as a socket's is.</summary>
public sealed class FakeUdpTransport : IUdpTransport
{
    private readonly FakeUdpNetwork _network;
    private readonly ReceiveQueue[] _queues;
    private bool _disposed;

    internal FakeUdpTransport(FakeUdpNetwork network, int queues = 1)
    {
        _network = network;
        _queues = new ReceiveQueue[queues];
        for (int i = 0; i < queues; i++)
            _queues[i] = new ReceiveQueue(this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<IUdpQueue> Queues => _queues;

    /// <summary>Says which queue a datagram from there goes to; by default one that follows from its address and port.</summary>
    public Func<UdpEndpoint, int>? Steer { get; set; }

    /// <summary>The most datagrams that wait to be received in a queue; what comes beyond is dropped.</summary>
    public int QueueLimit { get; set; } = 4096;

    /// <summary>Plays a kernel with segmentation offload: the most datagrams in a run. 1, by default, is one without.</summary>
    public int MaxSegments { get; set; } = 1;

    /// <summary>Plays a kernel with receive offload: datagrams of one sender and length come together.</summary>
    public bool JoinsReceived { get; set; }

    /// <summary>Datagrams that wait to be received.</summary>
    public int Waiting
    {
        get
        {
            lock (_network.Gate)
                return _queues.Sum(queue => queue.Arrived.Count);
        }
    }

    /// <summary>The mark last set.</summary>
    public uint Fwmark { get; private set; }

    /// <inheritdoc/>
    public int Port { get; private set; }

    /// <summary>Readable while a datagram of either family waits.</summary>
    public int PollFd4 => _queues[0].PollFd4;

    /// <summary>None: <see cref="PollFd4"/> stands for both.</summary>
    public int PollFd6 => -1;

    internal UdpEndpoint[] Addresses { get; private set; } = [];

    /// <summary>Plays a host that roams: other addresses, the same port.</summary>
    public void Move(params ReadOnlySpan<IPAddress> addresses)
    {
        var endpoints = new UdpEndpoint[addresses.Length];
        for (int i = 0; i < endpoints.Length; i++)
            endpoints[i] = UdpEndpoint.From(addresses[i], 0);
        lock (_network.Gate)
            _network.Listen(this, endpoints, Port);
    }

    /// <inheritdoc/>
    public void ChangePort(int port)
    {
        lock (_network.Gate)
        {
            if (port != Port)
                _network.Listen(this, [.. Addresses], port);
        }
    }

    /// <inheritdoc/>
    public void SetFwmark(uint mark) => Fwmark = mark;

    /// <inheritdoc/>
    public UdpSendResult Send(ReadOnlySpan<byte> datagram, in UdpEndpoint endpoint) => Send(datagram, endpoint, ecn: 0);

    private UdpSendResult Send(ReadOnlySpan<byte> datagram, in UdpEndpoint endpoint, int ecn)
    {
        lock (_network.Gate)
        {
            if (_disposed || !TryPickSource(endpoint, out UdpEndpoint from, out bool dropped))
                return UdpSendResult.Unreachable;
            UdpSendResult result = _network.Carry(from, endpoint, datagram, ecn);
            return result == UdpSendResult.Sent && dropped ? UdpSendResult.SentWithoutSource : result;
        }
    }

    /// <inheritdoc/>
    public int SendBatch(UdpSendBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        int sent = 0;
        for (int i = 0; i < batch.RunCount; i++)
        {
            ref UdpSendRun run = ref batch.Run(i);
            Span<byte> data = batch.DataOf(run);
            for (int n = 0; n < run.Count; n++)
            {
                run.Result = Send(data.Slice(n * run.SegmentSize, run.LengthOf(n)), run.Endpoint, run.Ecn);
                if (run.Result is not (UdpSendResult.Sent or UdpSendResult.SentWithoutSource))
                    break;
                sent++;
            }
        }
        return sent;
    }

    /// <inheritdoc/>
    public int ReceiveBatch(UdpReceiveBatch batch) => _queues[0].ReceiveBatch(batch);

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_network.Gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            _network.Forget(this);
            foreach (ReceiveQueue queue in _queues)
            {
                queue.Arrived.Clear();
                queue.Readable.Dispose();
            }
        }
    }

    /// <summary>Notes where the network put it. Holds the gate.</summary>
    internal void Bound(UdpEndpoint[] addresses, int port)
    {
        Addresses = addresses;
        Port = port;
    }

    /// <summary>Takes in a datagram from the network. Holds the gate.</summary>
    internal void Enqueue(in UdpEndpoint from, ReadOnlySpan<byte> datagram, int ecn = 0)
    {
        int to = Steer?.Invoke(from) ?? (int)((from.AddressLow + (ulong)from.Port) % (ulong)_queues.Length);
        if (_disposed || _queues[to].Arrived.Count >= QueueLimit)
            return;
        _queues[to].Arrived.Enqueue(new Arrival(from, _network.Copy(datagram), datagram.Length, ecn));
        _queues[to].Readable.Set();
    }

    private int Receive(ReceiveQueue queue, UdpReceiveBatch batch)
    {
        lock (_network.Gate)
        {
            int count = 0;
            while (count < batch.Limit && queue.Arrived.TryDequeue(out Arrival arrival))
                Fill(batch, count++, arrival, queue.Arrived);
            if (queue.Arrived.Count == 0 && !_disposed)
                queue.Readable.Clear();
            batch.Count = count;
            return count;
        }
    }

    /// <summary>Puts a datagram into a slot, and behind it those that a kernel would have joined to it.</summary>
    private void Fill(UdpReceiveBatch batch, int slot, in Arrival first, Queue<Arrival> waiting)
    {
        Span<byte> room = batch.Slot(slot);
        bool fits = first.Length <= room.Length;
        int length = fits ? first.Length : 0;
        first.Buffer.AsSpan(0, length).CopyTo(room);
        _network.Return(first.Buffer);
        for (bool open = JoinsReceived && length > 0; open && waiting.TryPeek(out Arrival next) && length + next.Length <= room.Length;)
        {
            if (!next.From.EqualsWithSource(first.From) || next.Ecn != first.Ecn || next.Length > first.Length || next.Length == 0)
                break;
            waiting.Dequeue();
            next.Buffer.AsSpan(0, next.Length).CopyTo(room[length..]);
            _network.Return(next.Buffer);
            length += next.Length;
            open = next.Length == first.Length;
        }
        batch.Set(slot, length, first.From, first.Length, first.Ecn);
    }

    // The sticky source if it is still ours, else the first address of the family, as routing would.
    private bool TryPickSource(in UdpEndpoint to, out UdpEndpoint from, out bool dropped)
    {
        from = default;
        dropped = false;
        foreach (ref readonly UdpEndpoint address in Addresses.AsSpan())
        {
            if (address.Family != to.Family)
                continue;
            bool sticky = to.HasSource && address.AddressHigh == to.SourceHigh && address.AddressLow == to.SourceLow;
            if (from.IsEmpty || sticky)
                from = address;
            if (sticky)
                return true;
        }
        dropped = to.HasSource;
        return !from.IsEmpty;
    }

    private readonly record struct Arrival(UdpEndpoint From, byte[] Buffer, int Length, int Ecn);

    private sealed class ReceiveQueue(FakeUdpTransport transport) : IUdpQueue
    {
        public Queue<Arrival> Arrived { get; } = new();

        public EventFlag Readable { get; } = new();

        public int Port => transport.Port;

        public int PollFd4 => Readable.Fd;

        public int PollFd6 => -1;

        public int MaxSegments => transport.MaxSegments;

        public int SendBatch(UdpSendBatch batch) => transport.SendBatch(batch);

        public int ReceiveBatch(UdpReceiveBatch batch)
        {
            ArgumentNullException.ThrowIfNull(batch);
            return transport.Receive(this, batch);
        }
    }
}
