namespace Mesh.Node.Udp;

/// <summary>
/// Datagrams to and from the underlay, over IPv4 and IPv6 on one port, in one queue or several. <see cref="Send"/> is safe from
/// several threads at once; <see cref="ChangePort"/> and <see cref="SetFwmark"/> may be called from any thread, one at a time. The
/// transport itself stands for its first queue.
/// </summary>
public interface IUdpTransport : IUdpQueue, IDisposable
{
    /// <summary>At least one. Their number does not change.</summary>
    IReadOnlyList<IUdpQueue> Queues { get; }

    /// <summary>Moves to another port; 0 picks one that is free in both families. On failure the old one stays.</summary>
    /// <remarks>A thread that polls the descriptors must be woken afterwards: it waits on the old sockets.</remarks>
    /// <exception cref="UdpException">The port is taken, or needs rights.</exception>
    void ChangePort(int port);

    /// <summary>Marks what is sent, for policy routing (SO_MARK); 0 is no mark. Survives <see cref="ChangePort"/>.</summary>
    /// <exception cref="UdpException">No right to set marks.</exception>
    void SetFwmark(uint mark);

    /// <summary>Sends one datagram. Allocates nothing.</summary>
    UdpSendResult Send(ReadOnlySpan<byte> datagram, in UdpEndpoint endpoint);
}
