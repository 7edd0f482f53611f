namespace Mesh.Node.Device;

/// <summary>Why a packet went no further. Bad input is data: it is counted, never thrown and never answered.</summary>
public enum DropReason
{
    // Datagrams from the underlay.
    /// <summary>Shorter or longer than its type allows, or empty.</summary>
    MessageLength,
    /// <summary>No WireGuard message type, or reserved bytes that are not zero.</summary>
    MessageType,
    /// <summary>mac1 is not under any of our keys: the sender does not know who we are.</summary>
    Mac1,
    /// <summary>More handshake messages than are looked at in time.</summary>
    HandshakeQueueFull,
    /// <summary>A handshake message whose tags do not hold, or with a key of low order.</summary>
    HandshakeInvalid,
    /// <summary>A valid initiation of someone who is no peer.</summary>
    UnknownPeer,
    /// <summary>An initiation no newer than one already seen.</summary>
    InitiationReplayed,
    /// <summary>An initiation within 20 ms of the one before.</summary>
    InitiationFlood,
    /// <summary>No session or handshake has this receiver index.</summary>
    UnknownIndex,
    /// <summary>A cookie reply that does not belong to the last message we sent.</summary>
    CookieInvalid,
    /// <summary>A handshake message while we are under load, without a cookie: a cookie was sent back.</summary>
    CookieAsked,
    /// <summary>More handshake messages from one source than it may send while we are under load.</summary>
    SourceRate,
    /// <summary>The session is older than 180 s, or its counter used up.</summary>
    SessionExpired,
    /// <summary>The counter was seen before or is far behind.</summary>
    Replayed,
    /// <summary>The tag of a transport message does not hold.</summary>
    TransportInvalid,
    /// <summary>The packet inside is not IPv4 or IPv6, or says it is longer than it is.</summary>
    InnerMalformed,
    /// <summary>The packet inside comes from an address that is not this peer's.</summary>
    InnerSource,
    /// <summary>No rule lets the packet in, and it answers no flow that this node began.</summary>
    PolicyDenied,
    /// <summary>The packet's headers can't be judged: cut short, a chain without end, source routing.</summary>
    PolicyHeaders,
    /// <summary>A fragment whose first was not let in or not seen before it, or that reaches into the headers that were judged.</summary>
    PolicyFragment,
    /// <summary>An ICMP error about nothing that was sent, or a message that belongs on a link.</summary>
    PolicyIcmp,
    /// <summary>The peer is in the map no more, or its authorisation has ended.</summary>
    PolicyPeer,
    /// <summary>A router marked congestion, and the packet inside can't carry the mark: dropped as that router would have (RFC 6040).</summary>
    Congestion,
    /// <summary>The TUN interface did not take the packet.</summary>
    TunRefused,

    // Packets from the host.
    /// <summary>Not IPv4 or IPv6, or cut short.</summary>
    OutboundMalformed,
    /// <summary>No peer has the destination among its allowed IPs.</summary>
    NoRoute,
    /// <summary>No rule lets the packet out, towards a peer that enforces nothing itself.</summary>
    PolicyEgress,
    /// <summary>Our own message to the peer, which the host's routes sent back into the tunnel to that peer.</summary>
    RoutingLoop,
    /// <summary>The peer has no endpoint.</summary>
    NoEndpoint,
    /// <summary>Pushed out of, or not let into, the queue of packets that wait for a handshake.</summary>
    StagingFull,
    /// <summary>The handshake was given up with packets waiting.</summary>
    HandshakeFailed,
    /// <summary>The kernel did not take the datagram.</summary>
    SendFailed,
}
