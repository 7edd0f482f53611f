namespace Mesh.Node.Udp;

/// <summary>
/// Datagrams to and from the underlay, over IPv4 and IPv6 on one port. Sending is safe from several threads at once,
/// each with a batch of its own; one thread receives; <see cref="ChangePort"/> and <see cref="SetFwmark"/> may be
/// called from any thread, one at a time. Sending and receiving allocate nothing.
/// </summary>
public interface IUdpTransport : IDisposable
{
    /// <summary>The local port, the same for both families.</summary>
    int Port { get; }

    /// <summary>Polls readable while an IPv4 datagram waits; -1 without IPv4. The transport's: don't close it.</summary>
    int PollFd4 { get; }

    /// <summary>Polls readable while an IPv6 datagram waits; -1 without IPv6. The transport's: don't close it.</summary>
    int PollFd6 { get; }

    /// <summary>The most datagrams that one run of a batch may hold: 1 without segmentation offload. Shrinks, never grows.</summary>
    int MaxSegments { get; }

    /// <summary>Moves to another port; 0 picks one that is free in both families. On failure the old one stays.</summary>
    /// <remarks>A thread that polls the descriptors must be woken afterwards: it waits on the old sockets.</remarks>
    /// <exception cref="UdpException">The port is taken, or needs rights.</exception>
    void ChangePort(int port);

    /// <summary>Marks what is sent, for policy routing (SO_MARK); 0 is no mark. Survives <see cref="ChangePort"/>.</summary>
    /// <exception cref="UdpException">No right to set marks.</exception>
    void SetFwmark(uint mark);

    /// <summary>Sends one datagram.</summary>
    UdpSendResult Send(ReadOnlySpan<byte> datagram, in UdpEndpoint endpoint);

    /// <summary>
    /// Sends every datagram of the batch in order and notes each run's <see cref="UdpSendBatch.Result"/>; one that
    /// fails does not hold up the rest. The batch keeps its contents until it is cleared.
    /// </summary>
    /// <returns>How many the kernel took.</returns>
    int SendBatch(UdpSendBatch batch);

    /// <summary>Fills the batch, from its start, with the datagrams that wait, each slot with one or several. Never blocks.</summary>
    /// <returns>The batch's new <see cref="UdpReceiveBatch.Count"/>; 0 when none waited.</returns>
    int ReceiveBatch(UdpReceiveBatch batch);
}
