using Mesh.Crypto;
using Mesh.Node.Device;

namespace Mesh.Simulation;

/// <summary>Two nodes that know each other, and what has lately kept them from talking.</summary>
internal sealed class Pair(World world, SimulatedNode low, SimulatedNode high)
{
    /// <summary>After a move the peer learns the new address by the mover's packets: while that lasts, each of them counts.</summary>
    private static readonly TimeSpan LearningTime = TimeSpan.FromMinutes(15);

    private TimeSpan _disturbed;
    private TimeSpan _blindUntil = TimeSpan.MinValue;

    public SimulatedNode Low { get; } = low;

    public SimulatedNode High { get; } = high;

    public List<Flow> Flows { get; } = [];

    public byte[]? PresharedKey { get; init; }

    /// <summary>Set on the lower node's side; zero for none.</summary>
    public TimeSpan PersistentKeepalive { get; init; }

    public bool OverIPv6 { get; init; }

    /// <summary>
    /// When the pair last suffered something that costs the protocol a timer: a handshake message or a session's first
    /// message lost, an end restarted, the path restored, a clock that makes a flow exempt.
    /// </summary>
    public TimeSpan DisturbedAt => world.Time.Now < _blindUntil ? world.Time.Now : _disturbed;

    public SimulatedNode Other(SimulatedNode node) => node == Low ? High : Low;

    public void Disturb(TimeSpan at)
    {
        if (at > _disturbed) _disturbed = at;
    }

    /// <summary>Neither end can know where the other is until it is told.</summary>
    public void BlindUntil(TimeSpan at)
    {
        if (at > _blindUntil) _blindUntil = at;
        Disturb(at);
    }

    public bool IsBlind => world.Time.Now < _blindUntil;

    public bool IsLearning => world.Time.Now - Low.MovedAt < LearningTime || world.Time.Now - High.MovedAt < LearningTime;

    public bool HasFlow(SimulatedNode from) => Flows.Any(flow => flow.From == from && flow.IsSteady);

    /// <summary>Between two of the node's packets; zero when it sends none.</summary>
    public TimeSpan IntervalFrom(SimulatedNode from) => Flows.Find(flow => flow.From == from)?.Interval ?? TimeSpan.Zero;

    /// <summary>What an administrator, or a coordinator, tells a node that has just started.</summary>
    public void Configure(SimulatedNode node)
    {
        SimulatedNode other = Other(node);
        Peer peer = node.Device!.SetPeer((ulong)other.Number, other.Key.PublicKey)!;
        node.Device.AllowedIps.Set(IpPrefix.From(SimulatedNode.InnerAddressOf(other.Number), 32), peer);
        if (PresharedKey is not null) node.Device.SetPresharedKey(peer, new PresharedKey(PresharedKey));
        TellEndpoint(node);
        if (PersistentKeepalive > TimeSpan.Zero && node == Low && world.IsLively) node.Device.SetPersistentKeepalive(peer, PersistentKeepalive);
    }

    /// <summary>Tells the node where the other one is now.</summary>
    public void TellEndpoint(SimulatedNode node)
    {
        SimulatedNode other = Other(node);
        if (node.PeerOf(other.Number) is { } peer) node.Device!.SetEndpoint(peer, OverIPv6 ? other.Endpoint6 : other.Endpoint4);
    }
}
