using Mesh.Node.Control;
using Mesh.Node.Device;
using Mesh.Protocol.Control;
using ControlPeer = Mesh.Protocol.Control.Peer;

namespace Mesh.Node.Filter;

/// <summary>
/// One map as the filter enforces it: who may send what to this node. Immutable; the packet paths take it up whole, by one
/// reference. A peer that is not in it may nothing.
/// </summary>
internal sealed class FilterView
{
    /// <summary>Denies everything.</summary>
    public static readonly FilterView Empty = new(new RuleSet(new PacketFilter()), [], []);

    private readonly Dictionary<ulong, PeerRights> _peers;
    private readonly IpAddressBits[] _ownAddresses;

    private FilterView(RuleSet rules, IpAddressBits[] ownAddresses, Dictionary<ulong, PeerRights> peers) =>
        (Rules, _ownAddresses, _peers) = (rules, ownAddresses, peers);

    public RuleSet Rules { get; }

    public IReadOnlyCollection<PeerRights> Peers => _peers.Values;

    /// <param name="before">The view that is enforced now: what did not change is taken over from it, and flows go on.</param>
    /// <param name="now">Peers whose authorisation has ended by then are left out.</param>
    public static FilterView Of(NetworkMap map, FilterView before, DateTimeOffset now)
    {
        var rules = ReferenceEquals(before.Rules.Source, map.Filter) || before.Rules.Source.Equals(map.Filter) ? before.Rules : new RuleSet(map.Filter);
        var peers = new Dictionary<ulong, PeerRights>(map.Peers.Count);
        foreach (var peer in map.Peers.Values)
        {
            if (peer.Kind is not (PeerKind.Mesh or PeerKind.Wireguard) || Expiry(peer) <= now.UtcTicks) continue;
            bool sameOwner = peer.OwnerId != 0 && peer.OwnerId == map.Self.OwnerId;
            var known = before.Find(peer.NodeId);
            peers.Add(peer.NodeId, known is not null && known.IsOf(peer, rules, sameOwner) ? known : new PeerRights(peer, rules, sameOwner, known));
        }
        return new FilterView(rules, HostAddresses(map.Self.Addresses), peers);
    }

    /// <summary>This view with those peers left out, from whom nothing passes.</summary>
    public FilterView Without(IReadOnlySet<ulong> peers) => peers.Count == 0
        ? this
        : new FilterView(Rules, _ownAddresses, new(_peers.Where(peer => !peers.Contains(peer.Key))));

    public PeerRights? Find(ulong peer) => _peers.GetValueOrDefault(peer);

    /// <summary>Whether the address is one of this node's own.</summary>
    public bool IsOwn(in IpAddressBits address) => Has(_ownAddresses, address);

    public static bool Has(IpAddressBits[] addresses, in IpAddressBits address)
    {
        foreach (ref readonly var own in addresses.AsSpan())
            if (own.High == address.High && own.Low == address.Low && own.IsV6 == address.IsV6) return true;
        return false;
    }

    /// <summary>UTC ticks; <see cref="long.MaxValue"/> for never and for a time beyond the calendar.</summary>
    public static long Expiry(ControlPeer peer) =>
        peer.ExpiresAtMs == 0 ? long.MaxValue
        : peer.ExpiresAtMs < 0 ? 0
        : peer.ExpiresAtMs > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds() ? long.MaxValue
        : DateTimeOffset.FromUnixTimeMilliseconds(peer.ExpiresAtMs).UtcTicks;

    public static IpAddressBits[] HostAddresses(IEnumerable<Prefix> prefixes) =>
        [.. prefixes.Where(prefix => prefix.Length == prefix.Address.Length * 8).Select(prefix => CompiledRule.ToEngine(prefix).Address)];
}
