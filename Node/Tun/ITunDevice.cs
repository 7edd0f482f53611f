namespace Mesh.Node.Tun;

/// <summary>
/// A layer-3 network interface of this host, seen from its other end: what the host sends through the interface is
/// read here, what is written here the host receives, in one queue or several. Packets are bare IPv4 or IPv6, no link header; with
/// offloads, packets of one flow may come and go as one superpacket, described by a <see cref="Offload.VirtioNetHeader"/>. The device
/// itself stands for its first queue.
/// </summary>
public interface ITunDevice : ITunQueue, IDisposable
{
    /// <summary>The interface's name as last known. An administrator may rename it while it runs.</summary>
    string Name { get; }

    /// <summary>The interface's MTU in bytes as last known. An administrator may change it while it runs.</summary>
    int Mtu { get; }

    /// <summary>At least one. Their number does not change.</summary>
    IReadOnlyList<ITunQueue> Queues { get; }
}
