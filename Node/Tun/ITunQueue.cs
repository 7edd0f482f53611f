using Mesh.Node.Kernel;
using Mesh.Node.Offload;

namespace Mesh.Node.Tun;

/// <summary>
/// One of a TUN device's queues. The host's packets of one flow are read from one of them: where the flow's packets from the other
/// side were written last, if any were. One thread reads and one thread writes at a time; the two may differ.
/// </summary>
public interface ITunQueue
{
    /// <summary>A descriptor that polls readable while a packet waits. Owned by the device; don't close it.</summary>
    int PollFd { get; }

    /// <summary>
    /// What is left to the kernel: kinds of superpackets that may come and that may be written. The same for all queues. Shrinks,
    /// never grows.
    /// </summary>
    OffloadSet Offloads { get; }

    /// <summary>
    /// Takes the next packet the host has sent, which may be a superpacket, or lack its checksum: its header tells. Never blocks,
    /// never allocates.
    /// </summary>
    /// <param name="packet">65,535 bytes of room, or the packet may be cut off.</param>
    /// <returns>The packet's length (above 0), or 0 when none waits.</returns>
    /// <exception cref="TunException">The interface is gone (<see cref="TunFailure.Gone"/>): read no more.</exception>
    int Read(Span<byte> packet, out VirtioNetHeader header);

    /// <summary>Hands the host a packet, or a superpacket, in parts. Never blocks, never allocates.</summary>
    /// <param name="header">Only of a kind that is among <see cref="Offloads"/>.</param>
    /// <param name="parts">The packet in order, but for the first, which is left free for the device's own use.</param>
    /// <exception cref="TunException">The interface is gone (<see cref="TunFailure.Gone"/>).</exception>
    TunWriteResult Write(in VirtioNetHeader header, Span<IoVec> parts);
}
