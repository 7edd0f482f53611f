namespace Mesh.Node.Udp;

/// <summary>What became of a datagram given to a transport. None of these is an error of the caller's.</summary>
public enum UdpSendResult : byte
{
    /// <summary>Not tried yet.</summary>
    None = 0,

    /// <summary>The kernel took it.</summary>
    Sent,

    /// <summary>
    /// The kernel took it, but the endpoint's sticky source is no longer this host's: it was sent from another
    /// address, and the owner of the endpoint should forget the source.
    /// </summary>
    SentWithoutSource,

    /// <summary>The socket's buffer stayed full for its send timeout: dropped.</summary>
    WouldBlock,

    /// <summary>No route, the network is down, or the transport has no socket of that family.</summary>
    Unreachable,

    /// <summary>Larger than the path or the protocol takes.</summary>
    TooLarge,

    /// <summary>A local firewall refused it.</summary>
    NotPermitted,

    /// <summary>Any other failure: bad destination (port 0, broadcast), out of memory.</summary>
    Failed,
}
