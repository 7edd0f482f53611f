using System.Runtime.CompilerServices;

namespace Mesh.Node.Offload;

/// <summary>What the coalescer has to know of a packet from a peer: flow, places, and whether others may be joined to it.</summary>
internal unsafe struct PacketShape
{
    private const int TcpFlags = 13;
    private const byte Acknowledge = 0x10;
    public const byte Push = 0x08;

    /// <summary>TCP or UDP straight behind a plain IP header, no fragment: it has a flow. 0 for all else.</summary>
    public byte Protocol { get; private set; }

    /// <summary>Offset of the TCP or UDP header.</summary>
    public byte Transport { get; private set; }

    /// <summary>Offset of the payload.</summary>
    public byte Header { get; private set; }

    /// <summary>Others can be joined to it and it to others, as far as it alone tells.</summary>
    public bool MayJoin { get; private set; }

    public bool IsV4 { get; private set; }

    /// <summary>TCP with PSH: what follows is not joined, so that the host passes this on at once.</summary>
    public bool IsPush { get; private set; }

    /// <summary>Of addresses, ports and protocol.</summary>
    public uint FlowHash { get; private set; }

    /// <param name="packet">A whole IP packet: its length is what its header says.</param>
    public static PacketShape Of(byte* packet, int length)
    {
        PacketShape shape = default;
        if (packet[0] >> 4 == 4) shape.Read4(packet, length);
        else shape.Read6(packet, length);
        return shape;
    }

    /// <summary>Whether the checksums hold, so that joining does not bless what was broken before it came to the peer.</summary>
    public readonly bool HasRightChecksums(byte* packet, int length)
    {
        if (IsV4 && InternetChecksum.Fold(InternetChecksum.Sum(packet, Transport)) != 0xffff) return false;
        ulong sum = InternetChecksum.PseudoHeader(packet, Protocol) + InternetChecksum.Of(length - Transport)
            + InternetChecksum.Sum(packet + Transport, length - Transport);
        return InternetChecksum.Fold(sum) == 0xffff;
    }

    private void Read4(byte* packet, int length)
    {
        // With options, or a fragment: rare, and not worth the cases.
        if (packet[0] != 0x45 || TransportHeader.IsFragment4(packet)) return;
        IsV4 = true;
        Read(packet, length, TransportHeader.V4Length, packet[9]);
        if (Protocol != 0) FlowHash = Mix(Unsafe.ReadUnaligned<ulong>(packet + 12), Unsafe.ReadUnaligned<uint>(packet + Transport));
    }

    private void Read6(byte* packet, int length)
    {
        Read(packet, length, TransportHeader.V6Length, packet[6]);
        if (Protocol == 0) return;
        ulong addresses = Unsafe.ReadUnaligned<ulong>(packet + 16) + (31 * Unsafe.ReadUnaligned<ulong>(packet + 32))
            + (Unsafe.ReadUnaligned<ulong>(packet + 8) ^ (7 * Unsafe.ReadUnaligned<ulong>(packet + 24)));
        FlowHash = Mix(addresses, Unsafe.ReadUnaligned<uint>(packet + Transport));
    }

    private void Read(byte* packet, int length, int transport, byte protocol)
    {
        byte* at = packet + transport;
        int left = length - transport;
        if (protocol == TransportHeader.Tcp && left >= TransportHeader.TcpLength)
        {
            int header = (at[12] >> 4) * 4;
            int flags = at[TcpFlags] & ~Push;
            IsPush = (at[TcpFlags] & Push) != 0;
            // The low bits of byte 12 are reserved or AccECN's.
            MayJoin = header >= TransportHeader.TcpLength && header < left && flags == Acknowledge && (at[12] & 0x0f) == 0;
            Header = (byte)(transport + (MayJoin ? header : TransportHeader.TcpLength));
        }
        else if (protocol == TransportHeader.Udp && left >= TransportHeader.UdpLength)
        {
            // A checksum of zero is none, and would be made one.
            MayJoin = NetworkOrder.Read16(at + 4) == left && left > TransportHeader.UdpLength
                && Unsafe.ReadUnaligned<ushort>(at + TransportHeader.UdpChecksum) != 0;
            Header = (byte)(transport + TransportHeader.UdpLength);
        }
        else
        {
            return;
        }
        (Protocol, Transport) = (protocol, (byte)transport);
    }

    private static uint Mix(ulong addresses, uint ports)
    {
        ulong mixed = (addresses ^ ports) * 0x9e3779b97f4a7c15;
        return (uint)(mixed >> 32);
    }
}
