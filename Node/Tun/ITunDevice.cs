namespace Mesh.Node.Tun;

/// <summary>
/// A layer-3 network interface of this host, seen from its other end: what the host sends through the interface is
/// read here, what is written here the host receives. Packets are bare IPv4 or IPv6, no link header.
/// One thread reads and one thread writes at a time; the two may differ.
/// </summary>
public interface ITunDevice : IDisposable
{
    /// <summary>The interface's name as last known. An administrator may rename it while it runs.</summary>
    string Name { get; }

    /// <summary>The interface's MTU in bytes as last known. An administrator may change it while it runs.</summary>
    int Mtu { get; }

    /// <summary>A descriptor that polls readable while a packet waits. Owned by the device; don't close it.</summary>
    int PollFd { get; }

    /// <summary>Takes the next packet the host has sent. Never blocks, never allocates.</summary>
    /// <param name="packet">Room for the packet. A longer packet is cut off, so give at least <see cref="Mtu"/>.</param>
    /// <returns>The packet's length (above 0), or 0 when none waits.</returns>
    /// <exception cref="TunException">The interface is gone (<see cref="TunFailure.Gone"/>): read no more.</exception>
    int Read(Span<byte> packet);

    /// <summary>Hands the host a packet. Never blocks, never allocates.</summary>
    /// <returns>False when the host did not take it: interface down, queue full, or not an IP packet. Drop it.</returns>
    /// <exception cref="TunException">The interface is gone (<see cref="TunFailure.Gone"/>).</exception>
    bool Write(ReadOnlySpan<byte> packet);
}
