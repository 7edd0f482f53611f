using System.Runtime.CompilerServices;

namespace Mesh.Node.Offload;

/// <summary>
/// Cuts a superpacket of the host's (TCP segmentation offload, UDP segmentation offload) into the packets that it stands for,
/// as the kernel would have: headers repeated, lengths, IPv4 ids, TCP sequence numbers and flags as of each, checksums made.
/// What is the same in all headers is summed up once.
/// </summary>
/// <remarks>Only the headers count: of the virtio header, the type and the segment size alone are believed.</remarks>
internal unsafe struct Segmenter
{
    /// <summary>The longest headers that are taken: IPv4 with all options and TCP with all take 120.</summary>
    public const int MaxHeader = 512;

    /// <summary>
    /// The most packets of one superpacket: TCP segments of Linux' smallest size are fewer. Far below the messages that a session has
    /// left when it ends, so that counters taken at once can't go round.
    /// </summary>
    public const int MaxCount = 2048;

    private const int TcpFlags = 13;
    private const byte Fin = 0x01;
    private const byte Push = 0x08;
    private const byte CongestionWindowReduced = 0x80;

    private byte* _packet;
    private int _transport;
    private int _header;
    private int _segmentSize;
    private int _payload;
    private bool _isV4;
    private bool _isTcp;
    private byte _flags;
    private ushort _id;
    private uint _sequence;
    private ulong _ipSum;
    private ulong _transportSum;

    /// <summary>How many packets it stands for; at least 1.</summary>
    public int Count { get; private set; }

    /// <summary>The length of every packet but the last, which may be shorter.</summary>
    public readonly int FullLength => _header + Math.Min(_segmentSize, _payload);

    /// <param name="packet">Stays where it is while segments are written, and is not changed.</param>
    /// <returns>False when the packet is not what the header says: it can't be sent then.</returns>
    public static bool TryBegin(byte* packet, int length, in VirtioNetHeader header, out Segmenter segmenter)
    {
        segmenter = default;
        int type = header.GsoType & ~VirtioNetHeader.GsoEcn;
        int transport = TransportHeader.Find(packet, length, out byte protocol);
        if (transport == 0 || header.GsoSize == 0) return false;
        bool isV4 = packet[0] >> 4 == 4;
        int transportLength;
        switch (type)
        {
            case VirtioNetHeader.GsoTcp4 when isV4 && protocol == TransportHeader.Tcp:
            case VirtioNetHeader.GsoTcp6 when !isV4 && protocol == TransportHeader.Tcp:
                if (length - transport < TransportHeader.TcpLength) return false;
                transportLength = (packet[transport + 12] >> 4) * 4;
                if (transportLength < TransportHeader.TcpLength) return false;
                break;
            case VirtioNetHeader.GsoUdp when protocol == TransportHeader.Udp:
                transportLength = TransportHeader.UdpLength;
                break;
            default:
                return false;
        }
        int all = transport + transportLength;
        // Without a payload there is nothing to cut.
        if (all >= length || all > MaxHeader || (length - all) / header.GsoSize >= MaxCount) return false;
        segmenter.Begin(packet, transport, all, length - all, header.GsoSize, isV4, protocol);
        return true;
    }

    /// <summary>Writes one of the packets.</summary>
    /// <param name="index">0 to <see cref="Count"/> - 1.</param>
    /// <param name="destination">Room for <see cref="FullLength"/> bytes, none of them the superpacket's.</param>
    /// <returns>The packet's length.</returns>
    public readonly int Write(int index, byte* destination)
    {
        int offset = index * _segmentSize;
        int payload = Math.Min(_segmentSize, _payload - offset);
        int length = _header + payload;
        Unsafe.CopyBlockUnaligned(destination, _packet, (uint)_header);
        if (_isV4)
        {
            ushort id = (ushort)(_id + index);
            NetworkOrder.Write16(destination + 2, length);
            NetworkOrder.Write16(destination + 4, id);
            WriteChecksum(destination + 10, _ipSum + InternetChecksum.Of(length) + InternetChecksum.Of(id));
        }
        else
        {
            NetworkOrder.Write16(destination + 4, length - TransportHeader.V6Length);
        }
        byte* transport = destination + _transport;
        int transportLength = length - _transport;
        ulong sum = _transportSum + InternetChecksum.Of(transportLength)
            + InternetChecksum.CopyAndSum(_packet + _header + offset, destination + _header, payload);
        if (_isTcp)
        {
            uint sequence = _sequence + (uint)offset;
            byte flags = _flags;
            // As the kernel's tcp_gso_segment: the first tells of the reduced window, the last of the end.
            if (index > 0) flags &= unchecked((byte)~CongestionWindowReduced);
            if (index < Count - 1) flags &= unchecked((byte)~(Fin | Push));
            NetworkOrder.Write32(transport + 4, sequence);
            transport[TcpFlags] = flags;
            sum += InternetChecksum.Of((int)(sequence >> 16)) + InternetChecksum.Of((int)(sequence & 0xffff)) + InternetChecksum.Of(flags);
            WriteChecksum(transport + TransportHeader.TcpChecksum, sum);
        }
        else
        {
            NetworkOrder.Write16(transport + 4, transportLength);
            WriteUdpChecksum(transport + TransportHeader.UdpChecksum, sum + InternetChecksum.Of(transportLength));
        }
        return length;
    }

    /// <summary>Makes the checksum that the host left to the interface, of a packet that is no superpacket.</summary>
    /// <returns>False when there is no such place in the packet.</returns>
    public static bool TryCompleteChecksum(byte* packet, int length, in VirtioNetHeader header)
    {
        if ((header.Flags & VirtioNetHeader.NeedsChecksum) == 0) return true;
        int start = header.ChecksumStart, at = start + header.ChecksumOffset;
        if (start >= length || at + 2 > length) return false;
        // The field holds the folded pseudo-header. 0 would mean "none" to UDP, and is the same number to all others.
        WriteUdpChecksum(packet + at, InternetChecksum.Sum(packet + start, length - start));
        return true;
    }

    private void Begin(byte* packet, int transport, int header, int payload, int segmentSize, bool isV4, byte protocol)
    {
        _packet = packet;
        (_transport, _header, _payload, _segmentSize) = (transport, header, payload, segmentSize);
        (_isV4, _isTcp) = (isV4, protocol == TransportHeader.Tcp);
        Count = (payload + segmentSize - 1) / segmentSize;
        if (isV4)
        {
            _id = NetworkOrder.Read16(packet + 4);
            // Everything but length, id and checksum.
            _ipSum = InternetChecksum.Sum(packet, 2) + InternetChecksum.Sum(packet + 6, 4) + InternetChecksum.Sum(packet + 12, transport - 12);
        }
        byte* at = packet + transport;
        _transportSum = InternetChecksum.PseudoHeader(packet, protocol) + InternetChecksum.Sum(at, 4);
        if (!_isTcp) return;
        _sequence = NetworkOrder.Read32(at + 4);
        _flags = at[TcpFlags];
        // Everything but sequence number, flags and checksum; the byte before the flags counts as a high one.
        _transportSum += InternetChecksum.Sum(at + 8, 4) + InternetChecksum.Of(at[12] << 8) + InternetChecksum.Sum(at + 14, 2)
            + InternetChecksum.Sum(at + 18, header - transport - 18);
    }

    private static void WriteChecksum(byte* at, ulong sum) => Unsafe.WriteUnaligned(at, (ushort)~InternetChecksum.Fold(sum));

    private static void WriteUdpChecksum(byte* at, ulong sum)
    {
        ushort value = (ushort)~InternetChecksum.Fold(sum);
        Unsafe.WriteUnaligned(at, value == 0 ? (ushort)0xffff : value);
    }
}
