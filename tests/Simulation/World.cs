using Mesh.Node.Device;
using Mesh.Node.Udp;

namespace Mesh.Simulation;

/// <summary>
/// Nodes, flows and faults on one underlay and one virtual clock, all on the caller's thread. The same seed and size give the
/// same history, but for keys and indices, which no event depends on.
/// </summary>
internal sealed class World : IDisposable
{
    // The protocol's times, stated here anew: the simulation holds the device to the paper, not to its own constants.
    public static readonly TimeSpan RekeyTimeout = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan NewHandshakeAfter = TimeSpan.FromSeconds(15);
    public static readonly TimeSpan RejectAfterTime = TimeSpan.FromSeconds(180);
    public static readonly TimeSpan MaxJitter = TimeSpan.FromMilliseconds(334);

    /// <summary>A datagram is under way for no longer, also one that others overtake.</summary>
    public static readonly TimeSpan MaxLatency = TimeSpan.FromMilliseconds(500);

    public const int StagingBytes = Timing.StagedBytes;

    private readonly PriorityQueue<Action, (TimeSpan At, long Order)> _agenda = new();
    private readonly SimulatedNode[] _nodes;
    private readonly Dictionary<(int, int), Pair> _pairs = [];
    private readonly Dictionary<(int, int), Flow> _flows = [];
    private readonly HashSet<(int From, int To)> _cuts = [];
    private readonly int _seed;
    private long _order;

    public World(WorldSize size, int seed)
    {
        _seed = seed;
        Random = new Random(seed);
        Network = new FakeUdpNetwork(seed)
        {
            Latency = Latency,
            Cut = (in UdpEndpoint from, in UdpEndpoint to) => IsCut(SimulatedNode.OwnerOf(from), SimulatedNode.OwnerOf(to)),
            Tap = (in UdpEndpoint from, in UdpEndpoint to, ReadOnlySpan<byte> datagram) => Audit!.Sent(from, to, datagram),
            Lost = (in UdpEndpoint from, in UdpEndpoint to, ReadOnlySpan<byte> datagram) => Audit!.Lost(from, to, datagram),
        };
        Audit = new Audit(this);
        _nodes = [.. Enumerable.Range(1, size.Nodes).Select(number => new SimulatedNode(this, number, keepsStamps: Random.Next(100) < 60))];
        Topology.Build(this, size);
    }

    public VirtualTime Time { get; } = new();

    public Random Random { get; }

    public FakeUdpNetwork Network { get; }

    public Audit Audit { get; }

    public IReadOnlyList<SimulatedNode> Nodes => _nodes;

    public IReadOnlyCollection<Pair> Pairs => _pairs.Values;

    public IReadOnlyCollection<Flow> Flows => _flows.Values;

    /// <summary>Faults happen and hosts send.</summary>
    public bool IsLively { get; private set; } = true;

    public SimulatedNode Node(int number) => _nodes[number - 1];

    public IEnumerable<Pair> PairsOf(SimulatedNode node) => _pairs.Values.Where(pair => pair.Low == node || pair.High == node);

    public Pair PairOf(SimulatedNode one, SimulatedNode other) => _pairs[Ordered(one.Number, other.Number)];

    public Flow? FlowOf(int from, int to) => _flows.GetValueOrDefault((from, to));

    public bool Knows(int one, int other) => _pairs.ContainsKey(Ordered(one, other));

    public void Add(Pair pair) => _pairs.Add((pair.Low.Number, pair.High.Number), pair);

    public void Add(Flow flow)
    {
        _flows.Add((flow.From.Number, flow.To.Number), flow);
        flow.Pair.Flows.Add(flow);
        Every(flow.Interval, jittered: true, flow.Tick);
    }

    public TimeSpan Jitter() => MaxJitter * Random.NextDouble();

    public bool IsCut(int from, int to) => _cuts.Contains((from, to));

    public void Cut(int from, int to) => _cuts.Add((from, to));

    /// <summary>Restores the way; what was lost until now is over.</summary>
    public void Heal(int from, int to)
    {
        if (_cuts.Remove((from, to)) && Knows(from, to)) PairOf(Node(from), Node(to)).Disturb(Time.Now);
    }

    public void After(TimeSpan delay, Action action) => _agenda.Enqueue(action, (Time.Now + delay, _order++));

    /// <summary>Again and again while the world is lively.</summary>
    public void Every(TimeSpan interval, bool jittered, Action action)
    {
        void Turn()
        {
            if (!IsLively) return;
            action();
            After(jittered ? interval * (0.5 + Random.NextDouble() / 2) : interval, Turn);
        }
        After(interval * Random.NextDouble(), Turn);
    }

    /// <summary>At random, so often on average.</summary>
    public void Randomly(TimeSpan average, Action action)
    {
        void Turn()
        {
            if (!IsLively) return;
            action();
            After(Exponential(average), Turn);
        }
        After(Exponential(average), Turn);
    }

    public TimeSpan Exponential(TimeSpan average) => average * Math.Min(-Math.Log(1 - Random.NextDouble()), 10);

    public void Run(TimeSpan until)
    {
        while (true)
        {
            TimeSpan next = _agenda.TryPeek(out _, out var due) ? due.At : TimeSpan.MaxValue;
            if (Network.NextArrival is { } arrival && arrival < next) next = arrival;
            foreach (SimulatedNode node in _nodes)
                if (node.WakeAt < next) next = node.WakeAt;
            if (next > until) break;
            if (next > Time.Now) Time.MoveTo(next);
            Network.DeliverDue(Time.Now);
            while (_agenda.TryPeek(out _, out due) && due.At <= Time.Now) _agenda.Dequeue()();
            foreach (SimulatedNode node in _nodes)
                if (node.IsUp && (node.WakeAt <= Time.Now || node.Udp.Waiting > 0)) node.Run();
        }
        Time.MoveTo(until);
    }

    /// <summary>Ends faults and traffic; what is under way comes to rest.</summary>
    public void FallSilent()
    {
        IsLively = false;
        Network.Loss = 0;
        _cuts.Clear();
        foreach (Pair pair in Pairs)
            if (pair.Low.PeerOf(pair.High.Number) is { } peer) pair.Low.Device!.SetPersistentKeepalive(peer, TimeSpan.Zero);
    }

    public void HostReceived(SimulatedNode node, ReadOnlySpan<byte> packet)
    {
        if (!ProbePacket.TryRead(packet, out int from, out int to, out uint sequence)) throw Violation($"node {node.Number} was given what nobody sent");
        if (to != node.Number) throw Violation($"node {node.Number} was given a packet for {to}");
        if (ProbePacket.SourceOf(packet) != from) throw Violation($"node {node.Number} was given a forged packet of {from}");
        if (FlowOf(from, to) is not { } flow) throw Violation($"node {node.Number} was given a packet of {from}, which sends it none");
        flow.Arrived(sequence);
    }

    public void PacketsGivenUp(SimulatedNode node, int peer) => FlowOf(node.Number, peer)?.WaitingGone();

    /// <summary>What must not happen, has: with what it takes to see it again.</summary>
    public SimulationException Violation(string what) =>
        new($"{what} (at {Time.Now} of virtual time; run again with MESH_TEST_SEED={_seed})");

    public void Dispose()
    {
        foreach (SimulatedNode node in _nodes) node.Dispose();
    }

    private static (int, int) Ordered(int one, int other) => one < other ? (one, other) : (other, one);

    // Most take some tens of milliseconds; some so long that others overtake them.
    private TimeSpan Latency()
    {
        double draw = Random.NextDouble();
        return draw < 0.03 ? MaxLatency * Random.NextDouble() : TimeSpan.FromMilliseconds(1 + 40 * draw * draw);
    }
}

internal sealed class SimulationException(string message) : Exception(message);
