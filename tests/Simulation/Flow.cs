namespace Mesh.Simulation;

/// <summary>
/// Packets from one host to another, and whether the session under them works. A packet that was put on the wire, was not
/// lost by the underlay and yet did not reach the host is evidence that it does not; one that arrives, that it does.
/// </summary>
internal sealed class Flow(World world, Pair pair, SimulatedNode from, TimeSpan interval, TimeSpan on, TimeSpan off)
{
    private readonly SortedDictionary<uint, Probe> _pending = [];
    private readonly HashSet<uint> _received = [];
    private uint _next;
    private TimeSpan? _outageSince;
    private TimeSpan _worked = TimeSpan.MinValue;
    private TimeSpan _exemptUntil;
    private TimeSpan _turnsAt;
    private bool _isOn = true;

    public Pair Pair { get; } = pair;

    public SimulatedNode From { get; } = from;

    public SimulatedNode To { get; } = pair.Other(from);

    public TimeSpan Interval { get; } = interval;

    /// <summary>It never pauses for longer than its interval.</summary>
    public bool IsSteady => off == TimeSpan.Zero;

    public long Sent { get; private set; }

    public long Delivered { get; private set; }

    /// <summary>Packets that reached the peer's socket in vain.</summary>
    public long Failed { get; private set; }

    /// <summary>The longest time without a session, from the last disturbance on.</summary>
    public TimeSpan LongestOutage { get; private set; }

    /// <summary>The longest time without a session, as a part of what the bound was then.</summary>
    public double NearestToBound { get; private set; }

    /// <summary>
    /// The longest time that the protocol's timers allow between a disturbance and a working session:
    /// <code>
    ///   the next packet, which finds the peer silent                    this flow's interval
    ///   new handshake, as nothing came back                             15 s + jitter
    ///   an attempt that was out already when the disturbance ended      5 s + jitter
    ///   its last message, and three of the new one                      4 latencies
    ///   a packet of the other side, where recovery is up to it          the other flow's interval
    /// </code>
    /// It is up to the other side when that has moved, as its packets show where to, and when our clock went back over a
    /// restart without a stamp on disk. Each lost handshake message is a disturbance of its own, from which the time counts anew.
    /// </summary>
    public TimeSpan Bound =>
        Interval + World.NewHandshakeAfter + World.RekeyTimeout + 2 * World.MaxJitter + 4 * World.MaxLatency
        + (Pair.IsLearning || From.IsBehind ? Pair.IntervalFrom(To) : TimeSpan.Zero);

    /// <summary>Writes the next packet, if the flow is not in a pause.</summary>
    public void Tick()
    {
        if (!IsSteady && world.Time.Now >= _turnsAt)
        {
            _isOn = !_isOn;
            _turnsAt = world.Time.Now + (_isOn ? on : off) * (0.5 + world.Random.NextDouble());
            _outageSince = null; // what is not tried does not fail
        }
        if (!_isOn || !From.IsUp) return;
        uint sequence = _next++;
        _pending[sequence] = new Probe(world.Time.Now);
        Sent++;
        byte[] packet = ProbePacket.Build(From.Number, To.Number, sequence, world.Random.Next(ProbePacket.MinLength, 300), From.Number);
        if (!From.Tun.Inject(packet)) throw world.Violation($"{this}: the host's queue is full");
        From.Run();
    }

    /// <summary>Null when the packet was delivered already, or given up.</summary>
    public Probe? Find(uint sequence) => _pending.GetValueOrDefault(sequence);

    public void Arrived(uint sequence)
    {
        if (!_received.Add(sequence)) throw world.Violation($"{this}: packet {sequence} was delivered twice");
        if (sequence >= _next) throw world.Violation($"{this}: packet {sequence} was never sent");
        Delivered++;
        if (!_pending.Remove(sequence, out Probe? probe)) return; // later than it was waited for
        world.Audit.Forget(probe);
        TimeSpan emitted = probe.Emitted ?? throw world.Violation($"{this}: packet {sequence} arrived without having been sent");
        if (emitted > _worked) _worked = emitted;
        if (_outageSince <= emitted) _outageSince = null;
    }

    /// <summary>The sender gave up, or lost its memory: what waited for a session is gone.</summary>
    public void WaitingGone()
    {
        foreach (uint sequence in _pending.Where(entry => entry.Value.Emitted is null).Select(entry => entry.Key).ToList())
            _pending.Remove(sequence);
    }

    /// <summary>A packet leaves while older ones still wait: they were pushed out of the queue.</summary>
    public void OlderGone(uint sequence)
    {
        foreach (uint older in _pending.Where(entry => entry.Value.Emitted is null).Select(entry => entry.Key).TakeWhile(older => older < sequence).ToList())
            _pending.Remove(older);
    }

    /// <summary>Looks at what is under way, and fails when the session has not worked for longer than it may.</summary>
    public void Check()
    {
        TimeSpan now = world.Time.Now;
        // Its initiations are taken for replays, and the other side has no reason to begin one: the protocol itself has no answer.
        if (From.IsBehind && !Pair.HasFlow(To)) _exemptUntil = now;
        while (_pending.Count > 0)
        {
            (uint sequence, Probe probe) = _pending.First();
            if (probe.Emitted is not { } emitted)
            {
                CheckOutage(probe.Injected, now, $"packet {sequence} waits");
                break;
            }
            if (!probe.IsLost && now - emitted <= World.MaxLatency) break;
            _pending.Remove(sequence);
            world.Audit.Forget(probe);
            if (probe.IsLost) continue;
            Failed++;
            if (emitted < _worked) continue;
            _outageSince ??= emitted;
            CheckOutage(_outageSince.Value, emitted, $"packet {sequence} was not taken in");
        }
    }

    public override string ToString() => $"flow {From.Number} -> {To.Number}";

    private void CheckOutage(TimeSpan since, TimeSpan until, string what)
    {
        TimeSpan from = new[] { since, Pair.DisturbedAt, _exemptUntil }.Max();
        if (until - from > LongestOutage) LongestOutage = until - from;
        NearestToBound = Math.Max(NearestToBound, (until - from) / Bound);
        if (until - from > Bound)
        {
            throw world.Violation(
                $"{this} has no working session since {since}, last disturbed at {Pair.DisturbedAt}, though {Bound} suffice: {what}. "
                + $"Sender: {Describe(From, To)}; receiver: {Describe(To, From)}");
        }
    }

    private static string Describe(SimulatedNode node, SimulatedNode other) =>
        node.PeerOf(other.Number) is { } peer
            ? $"session {peer.HasSession}, handshaking {peer.Timers.IsHandshaking}, endpoint {peer.Endpoint} (true: {other.IsAt(peer.Endpoint ?? default)}), behind {node.IsBehind}, "
              + string.Join(' ', node.Device!.Drops.All().Where(drop => drop.Count > 0).Select(drop => $"{drop.Reason}={drop.Count}"))
            : "down";
}
