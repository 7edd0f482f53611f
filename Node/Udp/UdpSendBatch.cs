using System.Runtime.InteropServices;
using Mesh.Node.Kernel;

namespace Mesh.Node.Udp;

/// <summary>
/// Native memory in which datagrams are built, one behind the other, and sent from; made once and used again and again. Belongs
/// to one thread. Build a datagram in <see cref="Next"/>, then <see cref="Commit"/> it. Datagrams to one endpoint, of one length but
/// for the last, form a run, which a kernel with segmentation offload takes as one.
/// </summary>
public sealed unsafe class UdpSendBatch : IDisposable
{
    /// <summary>The most bytes in a run: below what an IPv4 datagram can hold, as the offload counts it as one.</summary>
    internal const int MaxRunBytes = 65_000;

    // Packet information, segment size and traffic class: 40 + 24 + 24 bytes.
    internal const int ControlSize = 96;
    private const int AddressSize = 32;

    private readonly int _size;
    private readonly UdpSendRun* _runs;
    private byte* _memory;
    private int _used;

    /// <param name="datagrams">The most datagrams in a batch.</param>
    /// <param name="bytes">The most bytes in a batch.</param>
    public UdpSendBatch(int datagrams, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(datagrams);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        Capacity = datagrams;
        _size = (bytes + 63) & ~63;
        nuint perDatagram = (nuint)(sizeof(MMsgHdr) + sizeof(IoVec) + AddressSize + ControlSize + sizeof(UdpSendRun));
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)_size + (perDatagram * (nuint)datagrams), 4096);
        byte* next = _memory + _size;
        Headers = (MMsgHdr*)Take(ref next, sizeof(MMsgHdr));
        Iovs = (IoVec*)Take(ref next, sizeof(IoVec));
        Addresses = Take(ref next, AddressSize);
        Controls = Take(ref next, ControlSize);
        _runs = (UdpSendRun*)Take(ref next, sizeof(UdpSendRun));
        new Span<MMsgHdr>(Headers, datagrams).Clear();
    }

    /// <summary>Frees the memory of a batch that was not disposed.</summary>
    ~UdpSendBatch() => Free();

    /// <summary>The most datagrams.</summary>
    public int Capacity { get; }

    /// <summary>The datagrams committed since the last <see cref="Clear"/>.</summary>
    public int Count { get; private set; }

    /// <summary>The bytes committed since the last <see cref="Clear"/>.</summary>
    public int Bytes => _used;

    /// <summary>The most datagrams in a run. The transport's to say: <see cref="IUdpTransport.MaxSegments"/>.</summary>
    public int MaxSegments { get; set; } = 1;

    /// <summary>The room that is left, whose contents are left over from earlier use.</summary>
    public Span<byte> Next => new(_memory + _used, Count < Capacity ? _size - _used : 0);

    internal MMsgHdr* Headers { get; }

    internal int RunCount { get; private set; }

    private IoVec* Iovs { get; }

    private byte* Addresses { get; }

    private byte* Controls { get; }

    /// <summary>Where <see cref="Next"/> begins.</summary>
    internal byte* NextAddress => _memory + _used;

    /// <summary>Adds the first <paramref name="length"/> bytes of <see cref="Next"/> as a datagram to there.</summary>
    /// <param name="ecn">The ECN mark for its outer header.</param>
    public void Commit(int length, in UdpEndpoint endpoint, int ecn = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Count, Capacity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)(_size - _used));
        if (RunCount > 0 && _runs[RunCount - 1].Takes(length, ecn, MaxSegments) && _runs[RunCount - 1].Endpoint.EqualsWithSource(endpoint))
        {
            _runs[RunCount - 1].Bytes += length;
            _runs[RunCount - 1].Count++;
        }
        else
        {
            _runs[RunCount++] = new UdpSendRun { Endpoint = endpoint, Start = _used, Bytes = length, SegmentSize = length, Count = 1, Ecn = (byte)ecn };
        }
        _used += length;
        Count++;
    }

    /// <summary>One of the datagrams.</summary>
    public Span<byte> Datagram(int index)
    {
        ref UdpSendRun run = ref RunOf(ref index);
        return new Span<byte>(_memory + run.Start + (index * run.SegmentSize), run.LengthOf(index));
    }

    /// <summary>Where one of the datagrams goes to.</summary>
    public ref readonly UdpEndpoint Endpoint(int index) => ref RunOf(ref index).Endpoint;

    /// <summary>What became of one of the datagrams when the batch was sent; those of a run share it.</summary>
    public UdpSendResult Result(int index) => RunOf(ref index).Result;

    /// <summary>Empties the batch.</summary>
    public void Clear() => (Count, RunCount, _used) = (0, 0, 0);

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    internal ref UdpSendRun Run(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)RunCount);
        return ref _runs[index];
    }

    internal Span<byte> DataOf(in UdpSendRun run) => new(_memory + run.Start, run.Bytes);

    /// <summary>Makes a header for a run, or for a part of one.</summary>
    /// <param name="slot">Which of <see cref="Headers"/>.</param>
    /// <param name="first">The first datagram of the part, in the run.</param>
    /// <param name="count">How many of the run's datagrams.</param>
    internal void WriteHeader(int slot, in UdpSendRun run, int first, int count, bool withSource = true)
    {
        int offset = first * run.SegmentSize;
        Iovs[slot] = new IoVec
        {
            Base = _memory + run.Start + offset,
            Length = (nuint)Math.Min(count * run.SegmentSize, run.Bytes - offset),
        };
        ref MsgHdr header = ref Headers[slot].Header;
        byte* control = Controls + ((nint)ControlSize * slot);
        header.Name = Addresses + ((nint)AddressSize * slot);
        header.NameLength = SocketAddress.WriteAddress(run.Endpoint, header.Name);
        header.Iov = Iovs + slot;
        header.IovLength = 1;
        header.Control = control;
        nuint length = count > 1 ? SocketAddress.WriteSegmentSize(run.SegmentSize, control) : 0;
        if (run.Ecn != 0) length += SocketAddress.WriteTrafficClass(run.Endpoint.Family, run.Ecn, control + length);
        if (withSource) length += SocketAddress.WriteSource(run.Endpoint, control + length);
        header.ControlLength = length;
    }

    private ref UdpSendRun RunOf(scoped ref int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
        int run = 0;
        while (index >= _runs[run].Count) index -= _runs[run++].Count;
        return ref _runs[run];
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
        Clear();
    }
}
