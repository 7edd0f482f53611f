using System.Net;

namespace Mesh.Node.Udp;

/// <summary>Looks at a datagram on its way, before chance strikes. Must not call the network.</summary>
public delegate void FakeUdpTap(in UdpEndpoint from, in UdpEndpoint to, ReadOnlySpan<byte> datagram);

/// <summary>Says whether a datagram is cut off on its way.</summary>
public delegate bool FakeUdpCut(in UdpEndpoint from, in UdpEndpoint to);

/// <summary>
/// An underlay in memory, for tests and simulations: transports with addresses, and faults by a seeded chance, so that
/// a single-threaded run repeats exactly. Without a <see cref="Latency"/> no time passes on it: a datagram arrives when it is
/// sent, or, when it is reordered, after later ones. With one, it arrives when <see cref="DeliverDue"/> is called at or
/// after its time. Safe from any thread.
/// </summary>
public sealed class FakeUdpNetwork
{
    private const int FirstFreePort = 49152;
    private const int SpareSize = 2048;

    private readonly Dictionary<UdpEndpoint, FakeUdpTransport> _listeners = [];
    private readonly List<Held> _held = [];
    private readonly PriorityQueue<Held, (long At, long Order)> _underWay = new();
    private readonly Stack<byte[]> _spare = new();
    private readonly Random _random;
    private int _nextPort = FirstFreePort;
    private long _sent;
    private long _now;

    /// <param name="seed">The seed of all chance on this network: print it when a test fails.</param>
    public FakeUdpNetwork(int seed = 1)
    {
        _random = new Random(seed);
    }

    /// <summary>The part of datagrams that vanish, 0 to 1.</summary>
    public double Loss { get; set; }

    /// <summary>The part of datagrams that arrive twice, 0 to 1.</summary>
    public double Duplication { get; set; }

    /// <summary>The part of datagrams that arrive after 1 to <see cref="ReorderDepth"/> later ones, 0 to 1.</summary>
    public double Reordering { get; set; }

    /// <summary>How many datagrams of the network can overtake a reordered one at most.</summary>
    public int ReorderDepth { get; set; } = 8;

    /// <summary>Datagrams longer than this are refused as too large. 65,507 by default, IPv4's limit.</summary>
    public int MaxDatagram { get; set; } = 65507;

    /// <summary>A router on the way marks what is ECN-capable as having met congestion.</summary>
    public bool IsCongested { get; set; }

    /// <summary>Sees every datagram sent.</summary>
    public FakeUdpTap? Tap { get; set; }

    /// <summary>Cuts off what it returns true for: partitions, one-way faults.</summary>
    public FakeUdpCut? Cut { get; set; }

    /// <summary>Sees every datagram that does not arrive: cut off, vanished, or sent to where nobody listens.</summary>
    public FakeUdpTap? Lost { get; set; }

    /// <summary>
    /// How long the next datagram is under way; null for no time. Longer for one than for the next, and they change their order.
    /// Asked once a copy, in the order of sending, on the sender's thread.
    /// </summary>
    public Func<TimeSpan>? Latency { get; set; }

    /// <summary>When the next datagram that is under way arrives, as given to <see cref="DeliverDue"/>; null when there is none.</summary>
    public TimeSpan? NextArrival
    {
        get
        {
            lock (Gate)
                return _underWay.TryPeek(out _, out var due) ? TimeSpan.FromTicks(due.At) : null;
        }
    }

    internal Lock Gate { get; } = new();

    /// <summary>A transport with these addresses, all on one port; port 0 picks one.</summary>
    /// <exception cref="UdpException">The port is taken on one of the addresses.</exception>
    public FakeUdpTransport Attach(int port, params ReadOnlySpan<IPAddress> addresses) => Attach(port, queues: 1, addresses);

    /// <inheritdoc cref="Attach(int, ReadOnlySpan{IPAddress})"/>
    public FakeUdpTransport Attach(int port, int queues, params ReadOnlySpan<IPAddress> addresses)
    {
        var transport = new FakeUdpTransport(this, queues);
        var endpoints = new UdpEndpoint[addresses.Length];
        for (int i = 0; i < endpoints.Length; i++)
            endpoints[i] = UdpEndpoint.From(addresses[i], 0);
        lock (Gate)
            Listen(transport, endpoints, port);
        return transport;
    }

    /// <summary>Delivers, in order, the datagrams that chance has held back. For the end of a run.</summary>
    public void ReleaseHeld()
    {
        lock (Gate)
        {
            foreach (Held held in _held)
                DeliverHeld(held);
            _held.Clear();
        }
    }

    /// <summary>Lets the datagrams arrive whose time has come. What is sent from now on leaves at this time.</summary>
    /// <param name="now">Since a beginning of the caller's choice; never less than before.</param>
    public void DeliverDue(TimeSpan now)
    {
        lock (Gate)
        {
            _now = now.Ticks;
            while (_underWay.TryPeek(out Held next, out var due) && due.At <= _now)
            {
                _underWay.Dequeue();
                Arrive(next.From, next.To, next.Buffer.AsSpan(0, next.Length), next.Ecn);
                Return(next.Buffer);
            }
        }
    }

    /// <summary>Makes the transport reachable at these addresses on that port, and nowhere else. Holds the gate.</summary>
    internal void Listen(FakeUdpTransport transport, UdpEndpoint[] addresses, int port)
    {
        if (port == 0)
        {
            do
                port = _nextPort = _nextPort >= ushort.MaxValue ? FirstFreePort : _nextPort + 1;
            while (IsTaken(transport, addresses, port));
        }
        else if (IsTaken(transport, addresses, port))
        {
            throw new UdpException($"listen on UDP port {port}", Kernel.Errno.EADDRINUSE);
        }
        Forget(transport);
        for (int i = 0; i < addresses.Length; i++)
        {
            addresses[i] = addresses[i].WithPort((ushort)port);
            _listeners[addresses[i]] = transport;
        }
        transport.Bound(addresses, port);
    }

    /// <summary>Makes the transport unreachable. Holds the gate.</summary>
    internal void Forget(FakeUdpTransport transport)
    {
        foreach (UdpEndpoint address in transport.Addresses)
            _listeners.Remove(address);
    }

    /// <summary>Carries a datagram. Holds the gate.</summary>
    internal UdpSendResult Carry(in UdpEndpoint from, in UdpEndpoint to, ReadOnlySpan<byte> datagram, int ecn = 0)
    {
        if (datagram.Length > MaxDatagram)
            return UdpSendResult.TooLarge;
        Tap?.Invoke(from, to, datagram);
        if (IsCongested && ecn != 0)
            ecn = Offload.Ecn.CongestionExperienced;
        if (Cut?.Invoke(from, to) == true || Chance(Loss))
        {
            Lost?.Invoke(from, to, datagram);
        }
        else
        {
            if (Chance(Reordering))
                _held.Add(new Held(from, to, Copy(datagram), datagram.Length, 1 + _random.Next(ReorderDepth), ecn));
            else
                Deliver(from, to, datagram, ecn);
            if (Chance(Duplication))
                Deliver(from, to, datagram, ecn);
        }
        OvertakeHeld();
        return UdpSendResult.Sent;
    }

    /// <summary>A buffer of the network's own with these bytes; goes back by <see cref="Return"/>.</summary>
    internal byte[] Copy(ReadOnlySpan<byte> datagram)
    {
        byte[] buffer = datagram.Length <= SpareSize && _spare.TryPop(out byte[]? spare)
            ? spare
            : new byte[Math.Max(datagram.Length, SpareSize)];
        datagram.CopyTo(buffer);
        return buffer;
    }

    internal void Return(byte[] buffer)
    {
        if (buffer.Length == SpareSize)
            _spare.Push(buffer);
    }

    private bool IsTaken(FakeUdpTransport transport, UdpEndpoint[] addresses, int port)
    {
        foreach (UdpEndpoint address in addresses)
        {
            if (_listeners.TryGetValue(address.WithPort((ushort)port), out FakeUdpTransport? other) && other != transport)
                return true;
        }
        return false;
    }

    private bool Chance(double part) => part > 0 && _random.NextDouble() < part;

    private void OvertakeHeld()
    {
        for (int i = 0; i < _held.Count; i++)
        {
            Held held = _held[i];
            if (--held.Overtakers >= 0)
            {
                _held[i] = held;
                continue;
            }
            DeliverHeld(held);
            _held.RemoveAt(i--);
        }
    }

    private void DeliverHeld(in Held held)
    {
        Deliver(held.From, held.To, held.Buffer.AsSpan(0, held.Length), held.Ecn);
        Return(held.Buffer);
    }

    private void Deliver(in UdpEndpoint from, in UdpEndpoint to, ReadOnlySpan<byte> datagram, int ecn)
    {
        if (Latency is { } latency)
            _underWay.Enqueue(new Held(from, to, Copy(datagram), datagram.Length, 0, ecn), (_now + latency().Ticks, _sent++));
        else
            Arrive(from, to, datagram, ecn);
    }

    private void Arrive(in UdpEndpoint from, in UdpEndpoint to, ReadOnlySpan<byte> datagram, int ecn)
    {
        if (_listeners.TryGetValue(to, out FakeUdpTransport? receiver))
            receiver.Enqueue(from.WithoutSource().WithSource(to.AddressHigh, to.AddressLow, 1), datagram, ecn);
        else
            Lost?.Invoke(from, to, datagram);
    }

    private record struct Held(UdpEndpoint From, UdpEndpoint To, byte[] Buffer, int Length, int Overtakers, int Ecn);
}
