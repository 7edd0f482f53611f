using System.Runtime.InteropServices;

namespace Mesh.Node.Offload;

/// <summary>
/// struct virtio_net_hdr (10 bytes, host order), which stands before each packet of a TUN interface with IFF_VNET_HDR. The
/// default value is a whole packet of its own with right checksums.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 2)]
public struct VirtioNetHeader
{
    /// <summary>The checksum at start + offset covers only the pseudo-header yet; what follows start is to be added.</summary>
    internal const byte NeedsChecksum = 1;

    internal const byte GsoNone = 0;
    internal const byte GsoTcp4 = 1;
    internal const byte GsoTcp6 = 4;

    /// <summary>UDP datagrams of one size, each with a header of its own (not UFO, which is fragments of one datagram).</summary>
    internal const byte GsoUdp = 5;

    /// <summary>Set beside a TCP type: the first segment carries CWR.</summary>
    internal const byte GsoEcn = 0x80;

    internal const int Length = 10;

    internal byte Flags;
    internal byte GsoType;

    /// <summary>What the kernel thinks the headers take: a hint that is wrong at times, so nothing here reads it.</summary>
    internal ushort HeaderLength;
    internal ushort GsoSize;
    internal ushort ChecksumStart;
    internal ushort ChecksumOffset;

    /// <summary>It stands before more than one packet.</summary>
    internal readonly bool IsSuperpacket => GsoType != GsoNone;
}
