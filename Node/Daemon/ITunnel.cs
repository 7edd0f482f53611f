using System.Net;
using Mesh.Crypto;
using Mesh.Node.Filter;
using Mesh.Node.Udp;

namespace Mesh.Node.Daemon;

/// <summary>What the daemon wants of a peer in the tunnel.</summary>
/// <param name="Keys">One or two; the first is written to, both are answered.</param>
/// <param name="Prefixes">Routed to the peer, and accepted from it.</param>
internal sealed record TunnelPeer(ulong Id, IReadOnlyList<X25519PublicKey> Keys, IReadOnlyList<IPNetwork> Prefixes);

/// <summary>How it stands with a peer in the tunnel.</summary>
/// <param name="Endpoint">Where packets to it go now.</param>
/// <param name="HasSession">Whether data could be sent at once.</param>
internal readonly record struct TunnelPeerState(
    UdpEndpoint? Endpoint, bool HasSession, DateTimeOffset? LastHandshake, long RxBytes, long TxBytes);

internal enum TunnelPeerEvent
{
    /// <summary>A handshake was completed: the endpoint works.</summary>
    SessionMade,

    /// <summary>A handshake was not answered in time and was sent again.</summary>
    HandshakeUnanswered,

    /// <summary>Nothing more is sent until a packet for the peer comes.</summary>
    HandshakeGivenUp,
}

/// <summary>
/// The data plane as the daemon drives it: one interface, its keys, addresses, routes and peers. Thread-safe. Everything
/// it sets up is gone after its disposal; after a crash the kernel removes the interface and all that hangs on it.
/// </summary>
internal interface ITunnel : IAsyncDisposable
{
    string InterfaceName { get; }

    int ListenPort { get; }

    /// <summary>Raised on a thread of the tunnel, with no lock held.</summary>
    event Action<ulong, TunnelPeerEvent>? PeerChanged;

    /// <summary>Completes when the data plane has failed for good (the interface was deleted); the daemon ends then.</summary>
    Task Failed { get; }

    /// <summary>Sets the addresses, MTU and keys, and the interface up. May be called again with others.</summary>
    /// <param name="key">Handshakes go out under it. Copied.</param>
    /// <param name="other">While one key replaces another: handshakes are answered under it too. Copied.</param>
    void BringUp(X25519PrivateKey key, X25519PrivateKey? other, IReadOnlyList<IPNetwork> addresses, int mtu);

    /// <summary>Removes peers, routes, addresses and keys, and sets the interface down.</summary>
    void TakeDown();

    /// <summary>
    /// Enforces the view from the next packet on, before the rest of its map is applied: a right that is gone ends here. Nothing
    /// passes from or to peers that are new or whose prefixes change, until <see cref="SetPeers"/>.
    /// </summary>
    void Enforce(IReadOnlyCollection<TunnelPeer> peers, FilterView view);

    /// <summary>Makes these the peers, and enforces the view whole. Peers that stay keep their sessions, endpoints and counters.</summary>
    void SetPeers(IReadOnlyCollection<TunnelPeer> peers, FilterView view);

    /// <summary>Sets where a peer is. A handshake starts at once when packets wait for it or a handshake is out.</summary>
    void SetEndpoint(ulong peer, in UdpEndpoint endpoint);

    /// <summary>Makes a session with the peer if there is none, though no packet waits.</summary>
    void Connect(ulong peer);

    /// <summary>Null when there is no such peer.</summary>
    TunnelPeerState? Find(ulong peer);

    /// <summary>Whether the address is routed into the tunnel: no use as an endpoint.</summary>
    bool IsInside(IPAddress address);
}
