namespace Mesh.Node.Device;

/// <summary>What the owner of a device may want to act on.</summary>
public enum PeerEvent
{
    /// <summary>A handshake was completed.</summary>
    SessionMade,

    /// <summary>An initiation was not answered within 5 s; another was sent. Perhaps another endpoint is better.</summary>
    HandshakeRetried,

    /// <summary>No answer in 90 s; nothing more is sent until a packet for the peer comes.</summary>
    HandshakeGivenUp,
}
