using Mesh.Node.Device;

namespace Mesh.Node.Filter;

/// <summary>
/// What names a flow or a fragmented datagram: a peer, and what stays the same in its packets. "Local" is our side of the
/// tunnel, in either direction.
/// </summary>
internal struct FlowKey
{
    public ulong Peer;
    public ulong LocalHigh, LocalLow, RemoteHigh, RemoteLow;

    /// <summary>Local port, remote port; an echo's identifier; or a fragment's.</summary>
    public uint Ports;

    /// <summary>Protocol number, and 256 for IPv6.</summary>
    public uint Protocol;

    /// <summary>Of a flow's packet on its way out.</summary>
    public static FlowKey Outbound(ulong peer, in PacketHeaders headers) => new()
    {
        Peer = peer,
        LocalHigh = headers.Source.High,
        LocalLow = headers.Source.Low,
        RemoteHigh = headers.Destination.High,
        RemoteLow = headers.Destination.Low,
        Ports = headers.Icmp == IcmpMessage.None ? (uint)headers.SourcePort << 16 | headers.DestinationPort : headers.EchoId,
        Protocol = ProtocolOf(headers),
    };

    /// <summary>Of a flow's packet on its way in.</summary>
    public static FlowKey Inbound(ulong peer, in PacketHeaders headers) => new()
    {
        Peer = peer,
        LocalHigh = headers.Destination.High,
        LocalLow = headers.Destination.Low,
        RemoteHigh = headers.Source.High,
        RemoteLow = headers.Source.Low,
        Ports = headers.Icmp == IcmpMessage.None ? (uint)headers.DestinationPort << 16 | headers.SourcePort : headers.EchoId,
        Protocol = ProtocolOf(headers),
    };

    /// <summary>Of the datagram that a fragment is of, as the host puts it together (RFC 791, RFC 8200): the protocol counts for IPv4 alone.</summary>
    public static FlowKey Fragment(ulong rights, in PacketHeaders headers) => new()
    {
        Peer = rights,
        LocalHigh = headers.Destination.High,
        LocalLow = headers.Destination.Low,
        RemoteHigh = headers.Source.High,
        RemoteLow = headers.Source.Low,
        Ports = headers.FragmentId,
        Protocol = headers.Source.IsV6 ? 256u : headers.Protocol,
    };

    public readonly bool Matches(in FlowKey other) =>
        ((Peer ^ other.Peer) | (LocalHigh ^ other.LocalHigh) | (LocalLow ^ other.LocalLow) | (RemoteHigh ^ other.RemoteHigh)
            | (RemoteLow ^ other.RemoteLow)) == 0
        && ((Ports ^ other.Ports) | (Protocol ^ other.Protocol)) == 0;

    private static uint ProtocolOf(in PacketHeaders headers) => headers.Protocol | (headers.Source.IsV6 ? 256u : 0);
}
