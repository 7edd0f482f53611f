using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mesh.Node.Kernel;
using Mesh.Node.Tun;

namespace Mesh.Node.Offload;

/// <summary>
/// Joins packets of a batch that belong together back into superpackets, and writes them to the TUN interface: the inverse of
/// <see cref="Segmenter"/>. Nothing is copied: a superpacket is written from where its parts stand. Nothing is held back: what was
/// added is written by the next <see cref="Flush"/>, a packet that has no company as it came.
/// </summary>
/// <remarks>
/// Two packets are joined when the second is what the kernel would have made next in cutting up: same headers (addresses, ports,
/// traffic class with its ECN mark, hop limit, TCP acknowledgement, window and options; the next IPv4 id unless fragmenting is
/// forbidden, and the next sequence number), payload no longer than the first's, right checksums. A shorter payload or PSH ends the
/// superpacket. A flow's order is kept: what can't be joined ends the superpacket before it.
/// <para>Memory: fixed, made at the start. When it is full it flushes itself. One thread.</para>
/// </remarks>
internal sealed unsafe class Coalescer : IDisposable
{
    /// <summary>Packets between two flushes.</summary>
    public const int MaxPackets = 1024;

    /// <summary>A superpacket of the smallest packets stays below the kernel's limit of 1,024 parts in a writev.</summary>
    public const int MaxJoined = 512;

    /// <summary>Linux takes no more datagrams in one (UDP_MAX_SEGMENTS; 128 from 6.9 on), and refuses more with EINVAL.</summary>
    public const int MaxJoinedUdp = 64;

    private const int MaxTotal = 65_535;

    private const int FlowSlots = 256;

    private readonly ITunQueue _tun;
    private readonly Item* _items;
    private readonly Part* _parts;
    private readonly IoVec* _vectors;
    private readonly ushort* _flows;
    private byte* _memory;
    private int _itemCount;
    private int _partCount;
    private int _refused;

    public Coalescer(ITunQueue tun)
    {
        _tun = tun;
        nuint items = (nuint)(sizeof(Item) * MaxPackets), parts = (nuint)(sizeof(Part) * MaxPackets), vectors = (nuint)(sizeof(IoVec) * (MaxJoined + 1));
        _memory = (byte*)NativeMemory.AlignedAlloc(items + parts + vectors + (sizeof(ushort) * FlowSlots), 64);
        _items = (Item*)_memory;
        _parts = (Part*)(_memory + items);
        _vectors = (IoVec*)(_memory + items + parts);
        _flows = (ushort*)(_memory + items + parts + vectors);
        new Span<ushort>(_flows, FlowSlots).Clear();
    }

    /// <summary>Frees the memory of one that was not disposed.</summary>
    ~Coalescer() => Free();

    /// <summary>Packets that the interface did not take since this was last asked.</summary>
    public int TakeRefused()
    {
        int refused = _refused;
        _refused = 0;
        return refused;
    }

    /// <summary>Takes a packet in, which has to stay where it is until the next flush, and whose headers may change.</summary>
    /// <param name="packet">A whole IP packet.</param>
    /// <param name="length">As its header says.</param>
    /// <exception cref="TunException">The interface is gone.</exception>
    public void Add(byte* packet, int length)
    {
        if (_itemCount == MaxPackets || _partCount == MaxPackets) Flush();
        OffloadSet offloads = _tun.Offloads;
        if ((offloads & (OffloadSet.TunTcpGro | OffloadSet.TunUdpGro)) == 0)
        {
            New(packet, length, default);
            return;
        }
        var shape = PacketShape.Of(packet, length);
        if (shape.Protocol == 0)
        {
            // It may be of any flow (a fragment, options): none goes on before it.
            new Span<ushort>(_flows, FlowSlots).Clear();
            New(packet, length, default);
            return;
        }
        ref ushort slot = ref _flows[shape.FlowHash % FlowSlots];
        if (slot != 0)
        {
            ref Item item = ref _items[slot - 1];
            // Another flow in the same slot just loses its superpacket's end.
            if (item.IsOpen && TryJoin(ref item, packet, length, shape)) return;
        }
        bool mayJoin = shape.MayJoin && !shape.IsPush
            && (offloads & (shape.Protocol == TransportHeader.Tcp ? OffloadSet.TunTcpGro : OffloadSet.TunUdpGro)) != 0;
        New(packet, length, shape).IsOpen = mayJoin;
        slot = mayJoin ? (ushort)_itemCount : (ushort)0;
    }

    /// <summary>Writes all that was added.</summary>
    /// <exception cref="TunException">The interface is gone.</exception>
    public void Flush()
    {
        if (_itemCount == 0) return;
        int count = _itemCount;
        // Forgotten first: an exception must not leave it for the next batch, whose memory is another.
        (_itemCount, _partCount) = (0, 0);
        new Span<ushort>(_flows, FlowSlots).Clear();
        for (int i = 0; i < count; i++)
        {
            ref Item item = ref _items[i];
            if (item.Count > 1) WriteJoined(ref item);
            else WriteAlone(item.Packet, item.Length);
        }
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private ref Item New(byte* packet, int length, in PacketShape shape)
    {
        ref Item item = ref _items[_itemCount++];
        item = default;
        item.Packet = packet;
        item.Length = item.Total = length;
        item.Count = 1;
        item.Shape = shape;
        item.SegmentSize = length - shape.Header;
        return ref item;
    }

    private bool TryJoin(ref Item item, byte* packet, int length, in PacketShape shape)
    {
        int payload = length - shape.Header;
        if (!shape.MayJoin || shape.Protocol != item.Shape.Protocol || shape.IsV4 != item.Shape.IsV4 || shape.Header != item.Shape.Header
            || payload > item.SegmentSize || item.Total + payload > MaxTotal
            || item.Count == (shape.Protocol == TransportHeader.Udp ? MaxJoinedUdp : MaxJoined)
            || !HasSameHeaders(item, packet, shape) || !shape.HasRightChecksums(packet, length))
            return false;
        if (item.Count == 1 && !item.Shape.HasRightChecksums(item.Packet, item.Length)) return false;
        ref Part part = ref _parts[_partCount];
        part = new Part { Packet = packet, Length = length, Next = -1 };
        if (item.Count == 1) item.FirstPart = _partCount;
        else _parts[item.LastPart].Next = _partCount;
        item.LastPart = _partCount++;
        item.Count++;
        item.Total += payload;
        item.EndsWithPush = shape.IsPush;
        item.IsOpen = payload == item.SegmentSize && !shape.IsPush;
        return true;
    }

    private static bool HasSameHeaders(in Item item, byte* packet, in PacketShape shape)
    {
        byte* first = item.Packet;
        if (shape.IsV4)
        {
            // Version, length of header, traffic class; fragment bits; hop limit, protocol; addresses.
            if (!Same16(first, packet) || !Same16(first + 6, packet + 6) || !Same16(first + 8, packet + 8)
                || Unsafe.ReadUnaligned<ulong>(first + 12) != Unsafe.ReadUnaligned<ulong>(packet + 12))
                return false;
            // The id of a packet that can't be fragmented means nothing (RFC 6864).
            if ((packet[6] & 0x40) == 0 && NetworkOrder.Read16(packet + 4) != (ushort)(NetworkOrder.Read16(first + 4) + item.Count)) return false;
        }
        else if (Unsafe.ReadUnaligned<uint>(first) != Unsafe.ReadUnaligned<uint>(packet) || !Same16(first + 6, packet + 6)
            || !new ReadOnlySpan<byte>(first + 8, 32).SequenceEqual(new ReadOnlySpan<byte>(packet + 8, 32)))
        {
            return false;
        }
        first += shape.Transport;
        packet += shape.Transport;
        if (Unsafe.ReadUnaligned<uint>(first) != Unsafe.ReadUnaligned<uint>(packet)) return false;
        if (shape.Protocol == TransportHeader.Udp) return true;
        uint next = NetworkOrder.Read32(first + 4) + (uint)(item.Count * item.SegmentSize);
        int options = shape.Header - shape.Transport - TransportHeader.TcpLength;
        return NetworkOrder.Read32(packet + 4) == next
            // Acknowledgement; length of header; window; urgent pointer; options.
            && Unsafe.ReadUnaligned<uint>(first + 8) == Unsafe.ReadUnaligned<uint>(packet + 8) && first[12] == packet[12]
            && Same16(first + 14, packet + 14) && Same16(first + 18, packet + 18)
            && new ReadOnlySpan<byte>(first + 20, options).SequenceEqual(new ReadOnlySpan<byte>(packet + 20, options));
    }

    private static bool Same16(byte* one, byte* other) => Unsafe.ReadUnaligned<ushort>(one) == Unsafe.ReadUnaligned<ushort>(other);

    private void WriteAlone(byte* packet, int length)
    {
        _vectors[1] = new IoVec { Base = packet, Length = (nuint)length };
        if (_tun.Write(default, new Span<IoVec>(_vectors, 2)) != TunWriteResult.Taken) _refused++;
    }

    private void WriteJoined(ref Item item)
    {
        int parts = 1;
        _vectors[parts++] = new IoVec { Base = item.Packet, Length = (nuint)item.Length };
        for (int i = item.FirstPart; i >= 0; i = _parts[i].Next)
        {
            ref readonly Part part = ref _parts[i];
            _vectors[parts++] = new IoVec { Base = part.Packet + item.Shape.Header, Length = (nuint)(part.Length - item.Shape.Header) };
        }
        byte* saved = stackalloc byte[item.Shape.Header];
        Unsafe.CopyBlockUnaligned(saved, item.Packet, item.Shape.Header);
        VirtioNetHeader header = WriteHeaders(item);
        switch (_tun.Write(header, new Span<IoVec>(_vectors, parts)))
        {
            case TunWriteResult.Taken:
                break;
            case TunWriteResult.NoOffload:
                // A kernel that does not take them after all: the packets as they came.
                Unsafe.CopyBlockUnaligned(item.Packet, saved, item.Shape.Header);
                WriteAlone(item.Packet, item.Length);
                for (int i = item.FirstPart; i >= 0; i = _parts[i].Next) WriteAlone(_parts[i].Packet, _parts[i].Length);
                break;
            default:
                _refused += item.Count;
                break;
        }
    }

    /// <summary>Turns the first packet's headers into the superpacket's.</summary>
    private static VirtioNetHeader WriteHeaders(in Item item)
    {
        byte* packet = item.Packet;
        PacketShape shape = item.Shape;
        bool isTcp = shape.Protocol == TransportHeader.Tcp;
        if (shape.IsV4)
        {
            NetworkOrder.Write16(packet + 2, item.Total);
            Unsafe.WriteUnaligned<ushort>(packet + 10, 0);
            Unsafe.WriteUnaligned(packet + 10, (ushort)~InternetChecksum.Fold(InternetChecksum.Sum(packet, shape.Transport)));
        }
        else
        {
            NetworkOrder.Write16(packet + 4, item.Total - TransportHeader.V6Length);
        }
        byte* transport = packet + shape.Transport;
        int transportLength = item.Total - shape.Transport;
        int checksum = isTcp ? TransportHeader.TcpChecksum : TransportHeader.UdpChecksum;
        if (!isTcp) NetworkOrder.Write16(transport + 4, transportLength);
        else if (item.EndsWithPush) transport[13] |= PacketShape.Push;
        // The pseudo-header alone; the kernel adds the rest where it is needed.
        ulong sum = InternetChecksum.PseudoHeader(packet, shape.Protocol) + InternetChecksum.Of(transportLength);
        Unsafe.WriteUnaligned(transport + checksum, InternetChecksum.Fold(sum));
        return new VirtioNetHeader
        {
            Flags = VirtioNetHeader.NeedsChecksum,
            GsoType = !isTcp ? VirtioNetHeader.GsoUdp : shape.IsV4 ? VirtioNetHeader.GsoTcp4 : VirtioNetHeader.GsoTcp6,
            HeaderLength = shape.Header,
            GsoSize = (ushort)item.SegmentSize,
            ChecksumStart = shape.Transport,
            ChecksumOffset = (ushort)checksum,
        };
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }

    /// <summary>A packet, and those joined to it.</summary>
    private struct Item
    {
        public byte* Packet;
        public int Length;

        /// <summary>The first one's payload: the most of any other's.</summary>
        public int SegmentSize;
        public int Total;
        public int Count;
        public int FirstPart;
        public int LastPart;
        public PacketShape Shape;

        /// <summary>Another may be joined.</summary>
        public bool IsOpen;
        public bool EndsWithPush;
    }

    /// <summary>A packet that was joined to an item.</summary>
    private struct Part
    {
        public byte* Packet;
        public int Length;
        public int Next;
    }
}
