namespace Mesh.Node.Udp;

/// <summary>
/// One of a transport's queues: what comes from one address and port to one of ours arrives at the same queue, for as long as the
/// transport keeps its port. One thread receives and any send, each with a batch of its own. Allocates nothing.
/// </summary>
public interface IUdpQueue
{
    /// <summary>The local port, the same for both families and all queues.</summary>
    int Port { get; }

    /// <summary>Polls readable while an IPv4 datagram waits; -1 without IPv4. The transport's: don't close it.</summary>
    int PollFd4 { get; }

    /// <summary>Polls readable while an IPv6 datagram waits; -1 without IPv6. The transport's: don't close it.</summary>
    int PollFd6 { get; }

    /// <summary>The most datagrams that one run of a batch may hold: 1 without segmentation offload. Shrinks, never grows.</summary>
    int MaxSegments { get; }

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
