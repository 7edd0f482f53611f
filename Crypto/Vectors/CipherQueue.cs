using System.Numerics;
using System.Runtime.CompilerServices;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// Gathers ChaCha20 blocks, of whatever packets, until the lanes of a kernel are full, and runs it then. What was added is done
/// after <see cref="Flush"/>.
/// </summary>
internal unsafe ref struct CipherQueue<TVector, TOps>
    where TVector : unmanaged
    where TOps : ICipherVector<TVector>
{
    private const int BlockLength = 64;

    private readonly VectorWork* _work;
    private readonly TVector* _initial;
    private int _filled;

    /// <summary>Which lanes work on less than a block, whose result is still to be copied to its place.</summary>
    private uint _partial;
    private fixed ulong _places[CipherLanes.MaxLanes];
    private fixed int _lengths[CipherLanes.MaxLanes];

    [SkipLocalsInit]
    public CipherQueue(VectorWork* work)
    {
        _work = work;
        _initial = (TVector*)VectorWork.Cipher(work);
    }

    /// <summary>How many blocks the kernel's next run has room for that it makes anyway: none when it makes none.</summary>
    public readonly int Spare => _filled == 0 ? 0 : TOps.Lanes - _filled;

    /// <summary>Adds one whole block: 64 bytes of source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddBlock(uint block, ulong counter, byte* source, byte* destination)
    {
        _work->Mixed.Set(_filled, block, counter, source, destination);
        if (++_filled == TOps.Lanes) Run();
    }

    /// <summary>Adds a packet's blocks from <paramref name="block"/> on.</summary>
    public void Add(uint block, ulong counter, byte* source, byte* destination, int length)
    {
        while (length >= TOps.Lanes * BlockLength)
        {
            ChaChaKernel<TVector, TOps>.SetConsecutive(&_work->Consecutive, block, counter, source, destination);
            ChaChaKernel<TVector, TOps>.Run(_initial, &_work->Consecutive);
            block += (uint)TOps.Lanes;
            source += TOps.Lanes * BlockLength;
            destination += TOps.Lanes * BlockLength;
            length -= TOps.Lanes * BlockLength;
        }
        for (; length >= BlockLength; length -= BlockLength)
        {
            AddBlock(block++, counter, source, destination);
            source += BlockLength;
            destination += BlockLength;
        }
        if (length > 0)
        {
            // What lies behind the packet is not ours: the lane works on a copy.
            byte* tail = VectorWork.Tail(_work, _filled);
            Unsafe.CopyBlockUnaligned(tail, source, (uint)length);
            _partial |= 1u << _filled;
            _places[_filled] = (ulong)destination;
            _lengths[_filled] = length;
            AddBlock(block, counter, tail, tail);
        }
    }

    public void Flush()
    {
        if (_filled == 0) return;
        for (int lane = _filled; lane < TOps.Lanes; lane++)
        {
            byte* unused = VectorWork.Tail(_work, lane);
            _work->Mixed.Set(lane, 0, 0, unused, unused);
        }
        Run();
    }

    private void Run()
    {
        ChaChaKernel<TVector, TOps>.Run(_initial, &_work->Mixed);
        _filled = 0;
        for (; _partial != 0; _partial &= _partial - 1)
        {
            int lane = BitOperations.TrailingZeroCount(_partial);
            Unsafe.CopyBlockUnaligned((byte*)_places[lane], VectorWork.Tail(_work, lane), (uint)_lengths[lane]);
        }
    }
}
