using System.Runtime.InteropServices;
using Mesh.Node.Kernel;

namespace Mesh.Node.Udp;

/// <summary>
/// Slots of native memory that a transport receives datagrams into, made once and used again and again. Belongs to
/// one thread. Spans taken from it are good until the next receive; the caller may write to them (open in place).
/// </summary>
public sealed unsafe class UdpReceiveBatch : IDisposable
{
    // Packet information, a segment size and a traffic class: 40 + 24 + 24 bytes.
    internal const int ControlSize = 128;
    private const int AddressSize = 32;

    private readonly UdpEndpoint* _endpoints;
    private readonly Arrival* _arrivals;
    private byte* _memory;

    /// <param name="slots">The most datagrams that one receive brings.</param>
    /// <param name="slotSize">
    /// The longest datagram taken; a longer one is dropped. 65,535 fits everything and costs only the pages in use.
    /// </param>
    public UdpReceiveBatch(int slots, int slotSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(slots);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(slotSize);
        Capacity = slots;
        Limit = slots;
        SlotSize = (slotSize + 63) & ~63;
        nuint perSlot = (nuint)(SlotSize + sizeof(MMsgHdr) + sizeof(IoVec) + AddressSize + ControlSize
            + sizeof(UdpEndpoint) + sizeof(Arrival));
        _memory = (byte*)NativeMemory.AlignedAlloc(perSlot * (nuint)slots, 4096);
        byte* next = _memory + (nint)SlotSize * slots;
        Headers = (MMsgHdr*)Take(ref next, sizeof(MMsgHdr));
        Iovs = (IoVec*)Take(ref next, sizeof(IoVec));
        Addresses = Take(ref next, AddressSize);
        Controls = Take(ref next, ControlSize);
        _endpoints = (UdpEndpoint*)Take(ref next, sizeof(UdpEndpoint));
        _arrivals = (Arrival*)Take(ref next, sizeof(Arrival));
        new Span<MMsgHdr>(Headers, slots).Clear();
        for (int i = 0; i < slots; i++)
        {
            Iovs[i] = new IoVec { Base = _memory + (nint)SlotSize * i, Length = (nuint)SlotSize };
            Headers[i].Header.Iov = Iovs + i;
            Headers[i].Header.IovLength = 1;
            Headers[i].Header.Name = Addresses + (nint)AddressSize * i;
            Headers[i].Header.Control = Controls + (nint)ControlSize * i;
            Rearm(i);
        }
    }

    /// <summary>Frees the memory of a batch that was not disposed.</summary>
    ~UdpReceiveBatch() => Free();

    /// <summary>The number of slots.</summary>
    public int Capacity { get; }

    /// <summary>The room of a slot in bytes.</summary>
    public int SlotSize { get; }

    /// <summary>The slots that the next receive may fill: fewer than all of them bound what it brings at once.</summary>
    public int Limit { get; set; }

    /// <summary>The slots that the last receive filled: 0 to Count - 1.</summary>
    public int Count { get; internal set; }

    internal MMsgHdr* Headers { get; }

    private IoVec* Iovs { get; }

    private byte* Addresses { get; }

    private byte* Controls { get; }

    /// <summary>
    /// The datagrams in a slot, one behind the other. Empty when they were cut off, because they were longer than a slot.
    /// </summary>
    public Span<byte> Datagram(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Count);
        return new Span<byte>(_memory + (nint)SlotSize * slot, _arrivals[slot].Length);
    }

    /// <summary>The length of each datagram in a slot but the last, which may be shorter; at least 1.</summary>
    public int SegmentSize(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Count);
        return _arrivals[slot].SegmentSize;
    }

    /// <summary>The ECN mark of the outer headers in a slot.</summary>
    public int Ecn(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Count);
        return _arrivals[slot].Ecn;
    }

    /// <summary>Where the datagram in a slot came from, with the local address it arrived at as its source.</summary>
    public ref readonly UdpEndpoint Endpoint(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Count);
        return ref _endpoints[slot];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>The whole room of a slot, for a transport to write into.</summary>
    internal Span<byte> Slot(int slot) => new(_memory + (nint)SlotSize * slot, SlotSize);

    /// <summary>Notes what a transport put into a slot.</summary>
    /// <param name="segmentSize">0 for a single datagram.</param>
    internal void Set(int slot, int length, in UdpEndpoint endpoint, int segmentSize = 0, int ecn = 0)
    {
        bool several = segmentSize > 0 && segmentSize < length;
        _arrivals[slot] = new Arrival(length, several ? segmentSize : Math.Max(length, 1), ecn);
        _endpoints[slot] = endpoint;
    }

    /// <summary>Undoes what the kernel changed in a slot's header, so that the slot can receive again.</summary>
    internal void Rearm(int slot)
    {
        Headers[slot].Header.NameLength = AddressSize;
        Headers[slot].Header.ControlLength = ControlSize;
        Headers[slot].Header.Flags = 0;
    }

    private byte* Take(ref byte* next, int size)
    {
        byte* taken = next;
        next += (nint)size * Capacity;
        return taken;
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
        Count = 0;
    }

    private readonly record struct Arrival(int Length, int SegmentSize, int Ecn);
}
