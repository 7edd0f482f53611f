using Mesh.Node.Kernel;
using Mesh.Node.Offload;

namespace Mesh.Node.Tun;

/// <summary>
/// A layer-3 network interface of this host, seen from its other end: what the host sends through the interface is
/// read here, what is written here the host receives. Packets are bare IPv4 or IPv6, no link header; with offloads, packets of
/// one flow may come and go as one superpacket, described by a <see cref="VirtioNetHeader"/>.
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

    /// <summary>What is left to the kernel: kinds of superpackets that may come and that may be written. Shrinks, never grows.</summary>
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
