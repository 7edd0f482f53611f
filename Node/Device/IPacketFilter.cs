namespace Mesh.Node.Device;

/// <summary>
/// Judges the packets inside the tunnel. Called on the packet paths, by several threads at once in either direction: it must not
/// allocate or throw, and wait for nothing but another path that begins a flow that moment.
/// </summary>
internal interface IPacketFilter
{
    /// <summary>A packet that the peer's key decrypted, whose source is one of the peer's allowed IPs.</summary>
    /// <param name="queue">The path that asks. No two threads ask for one at once.</param>
    /// <param name="packet">A whole packet, without padding.</param>
    /// <param name="now">The device's ticks.</param>
    /// <returns>Why it goes no further; null lets it through.</returns>
    DropReason? JudgeInbound(int queue, Peer peer, ReadOnlySpan<byte> packet, long now);

    /// <summary>
    /// A packet of the host, whose destination is one of the peer's allowed IPs. Packets of one flow that are still one
    /// (segmentation offload) are judged once.
    /// </summary>
    /// <param name="packet">With at least an IP header; it may be longer than a datagram on the wire.</param>
    /// <param name="now">The device's ticks.</param>
    /// <returns>Why it goes no further; null lets it through.</returns>
    DropReason? JudgeOutbound(Peer peer, ReadOnlySpan<byte> packet, long now);
}
