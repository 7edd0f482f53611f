using System.Net;
using Mesh.Crypto;
using Mesh.Node.Control;
using Mesh.Node.Udp;
using Mesh.Protocol.Control;

namespace Mesh.Node.Daemon;

/// <summary>What a map means for the tunnel at a time.</summary>
internal static class MapToTunnel
{
    public static IReadOnlyList<IPNetwork> Addresses(IEnumerable<Prefix> addresses) => [.. addresses.Select(address => address.ToNetwork())];

    /// <summary>
    /// The peers to talk to: of a kind that this version knows, whose authorisation has not ended. A prefix counts only for
    /// the peer that is primary for it.
    /// </summary>
    public static IReadOnlyList<TunnelPeer> Peers(NetworkMap map, DateTimeOffset now)
    {
        long nowMs = now.ToUnixTimeMilliseconds();
        return [.. map.Peers.Values.Where(peer => IsLive(peer, nowMs)).Select(peer => new TunnelPeer(peer.NodeId, Keys(peer),
            [.. peer.Prefixes.Where(prefix => prefix.Primary).Select(prefix => prefix.ToNetwork())]))];
    }

    public static IReadOnlyDictionary<ulong, IReadOnlyList<UdpEndpoint>> Candidates(NetworkMap map, DateTimeOffset now)
    {
        long nowMs = now.ToUnixTimeMilliseconds();
        return map.Peers.Values.Where(peer => IsLive(peer, nowMs)).ToDictionary(peer => peer.NodeId, Endpoints);
    }

    /// <summary>Whether this node's own authorisation has ended, coordinator or not.</summary>
    public static bool IsSelfExpired(NetworkMap map, DateTimeOffset now) => Time(map.Self.ExpiresAtMs) <= now;

    /// <summary>
    /// The peers that are new or whose prefixes change. The engine takes prefixes one by one; until it has them all, no address may
    /// count for whom it was, nor for whom it will be.
    /// </summary>
    public static IReadOnlySet<ulong> Moving(IReadOnlyDictionary<ulong, TunnelPeer> before, IEnumerable<TunnelPeer> peers) =>
        peers.Where(peer => !before.TryGetValue(peer.Id, out var known) || !known.Prefixes.SequenceEqual(peer.Prefixes)).Select(peer => peer.Id).ToHashSet();

    /// <summary>When the next authorisation, of a peer or of this node, ends; null when none does.</summary>
    public static DateTimeOffset? NextExpiry(NetworkMap map, DateTimeOffset now)
    {
        long nowMs = now.ToUnixTimeMilliseconds();
        long next = map.Peers.Values.Select(peer => peer.ExpiresAtMs).Append(map.Self.ExpiresAtMs).Where(at => at > nowMs).DefaultIfEmpty(0).Min();
        return next == 0 ? null : Time(next);
    }

    /// <summary>Null for 0 (never) and for a time beyond the calendar.</summary>
    public static DateTimeOffset? Time(long unixMs) =>
        unixMs is > 0 and <= 253_402_300_799_999 ? DateTimeOffset.FromUnixTimeMilliseconds(unixMs) : null;

    public static bool IsLive(Peer peer, long nowMs) =>
        peer.Kind is PeerKind.Mesh or PeerKind.Wireguard && (peer.ExpiresAtMs == 0 || peer.ExpiresAtMs > nowMs);

    private static IReadOnlyList<UdpEndpoint> Endpoints(Peer peer) => [.. (peer.Presence?.Endpoints ?? []).Select(WireEndpoint.FromWire)];

    private static X25519PublicKey[] Keys(Peer peer) => peer.PreviousNodeKey.IsEmpty
        ? [new X25519PublicKey(peer.NodeKey.Span)]
        : [new X25519PublicKey(peer.NodeKey.Span), new X25519PublicKey(peer.PreviousNodeKey.Span)];
}
