using System.Runtime.InteropServices;
using Mesh.Node.Kernel;

namespace Mesh.Node.Udp;

/// <summary>
/// Slots of native memory in which datagrams are built and sent from, made once and used again and again. Belongs to
/// one thread. Build a datagram in <see cref="Next"/>, then <see cref="Commit"/> it.
/// </summary>
public sealed unsafe class UdpSendBatch : IDisposable
{
    // Packet information and, later, a segment size and a traffic class: 40 + 24 + 24 bytes.
    internal const int ControlSize = 96;
    private const int AddressSize = 32;

    private readonly UdpEndpoint* _endpoints;
    private readonly UdpSendResult* _results;
    private byte* _memory;

    /// <param name="slots">The most datagrams in a batch.</param>
    /// <param name="slotSize">The longest datagram that can be built.</param>
    public UdpSendBatch(int slots, int slotSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(slots);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(slotSize);
        Capacity = slots;
        SlotSize = (slotSize + 63) & ~63;
        nuint perSlot = (nuint)(SlotSize + sizeof(MMsgHdr) + sizeof(IoVec) + AddressSize + ControlSize
            + sizeof(UdpEndpoint) + sizeof(UdpSendResult));
        _memory = (byte*)NativeMemory.AlignedAlloc(perSlot * (nuint)slots, 4096);
        byte* next = _memory + (nint)SlotSize * slots;
        Headers = (MMsgHdr*)Take(ref next, sizeof(MMsgHdr));
        Iovs = (IoVec*)Take(ref next, sizeof(IoVec));
        Addresses = Take(ref next, AddressSize);
        Controls = Take(ref next, ControlSize);
        _endpoints = (UdpEndpoint*)Take(ref next, sizeof(UdpEndpoint));
        _results = (UdpSendResult*)Take(ref next, sizeof(UdpSendResult));
        new Span<MMsgHdr>(Headers, slots).Clear();
        for (int i = 0; i < slots; i++)
        {
            Iovs[i] = new IoVec { Base = _memory + (nint)SlotSize * i, Length = 0 };
            Headers[i].Header.Iov = Iovs + i;
            Headers[i].Header.IovLength = 1;
            Headers[i].Header.Name = Addresses + (nint)AddressSize * i;
        }
    }

    /// <summary>Frees the memory of a batch that was not disposed.</summary>
    ~UdpSendBatch() => Free();

    /// <summary>The number of slots.</summary>
    public int Capacity { get; }

    /// <summary>The room of a slot in bytes.</summary>
    public int SlotSize { get; }

    /// <summary>The datagrams committed since the last <see cref="Clear"/>.</summary>
    public int Count { get; private set; }

    /// <summary>True when no slot is free: send and clear first.</summary>
    public bool IsFull => Count == Capacity;

    /// <summary>The room of the next free slot, whose contents are left over from earlier use.</summary>
    public Span<byte> Next
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Count, Capacity);
            return new Span<byte>(_memory + (nint)SlotSize * Count, SlotSize);
        }
    }

    internal MMsgHdr* Headers { get; }

    private IoVec* Iovs { get; }

    private byte* Addresses { get; }

    private byte* Controls { get; }

    /// <summary>Adds the first <paramref name="length"/> bytes of <see cref="Next"/> as a datagram to there.</summary>
    public void Commit(int length, in UdpEndpoint endpoint)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Count, Capacity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)SlotSize);
        Iovs[Count].Length = (nuint)length;
        _endpoints[Count] = endpoint;
        _results[Count] = UdpSendResult.None;
        Count++;
    }

    /// <summary>The datagram in a slot.</summary>
    public Span<byte> Datagram(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Count);
        return new Span<byte>(_memory + (nint)SlotSize * slot, (int)Iovs[slot].Length);
    }

    /// <summary>Where the datagram in a slot goes to.</summary>
    public ref readonly UdpEndpoint Endpoint(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Count);
        return ref _endpoints[slot];
    }

    /// <summary>What became of the datagram in a slot when the batch was sent.</summary>
    public UdpSendResult Result(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)Count);
        return _results[slot];
    }

    /// <summary>Empties the batch.</summary>
    public void Clear() => Count = 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    internal void SetResult(int slot, UdpSendResult result) => _results[slot] = result;

    internal byte* ControlOf(int slot) => Controls + (nint)ControlSize * slot;

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
}
