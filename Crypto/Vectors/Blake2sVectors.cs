using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// BLAKE2s (RFC 7693) with <see cref="Blake2sKernel"/>: a state that takes input piece by piece. Nothing branches on, or is
/// addressed by, anything but lengths. Methods are compiled in full at their first call, which is the self-test's: after an outage
/// the first handshakes come all at once.
/// </summary>
internal unsafe struct Blake2sVectors
{
    private const int BlockLength = Blake2sKernel.BlockLength;

    private Vector128<uint> _low;
    private Vector128<uint> _high;
    private ulong _counted;
    private int _filled;
    private fixed byte _block[BlockLength];

    /// <param name="hashLength">16 or 32.</param>
    /// <param name="keyLength">Of the key that the first block, filled up with zeroes, will be; 0 for none.</param>
    public void Start(int hashLength, int keyLength) =>
        Resume(Blake2sKernel.StartLow(hashLength, keyLength), Blake2sKernel.StartHigh, counted: 0);

    /// <summary>Goes on where <paramref name="counted"/> bytes, whole blocks, have been compressed.</summary>
    public void Resume(Vector128<uint> low, Vector128<uint> high, ulong counted)
    {
        _low = low;
        _high = high;
        _counted = counted;
        _filled = 0;
    }

    /// <summary>As <see cref="Resume"/>, with the hash that the state is now, 32 bytes, as the first input.</summary>
    public void ResumeOverHash(Vector128<uint> low, Vector128<uint> high, ulong counted)
    {
        fixed (byte* block = _block)
        {
            _low.AsByte().Store(block);
            _high.AsByte().Store(block + Vector128<byte>.Count);
        }
        Resume(low, high, counted);
        _filled = Blake2s.HashLength;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return;
        fixed (byte* block = _block)
        fixed (byte* start = input)
        {
            byte* from = start;
            int left = input.Length;
            // A full block waits for more input, as the last one is compressed in another way.
            if (_filled > 0)
            {
                int taken = Math.Min(BlockLength - _filled, left);
                Unsafe.CopyBlockUnaligned(block + _filled, from, (uint)taken);
                _filled += taken;
                from += taken;
                left -= taken;
                if (left == 0) return;
                _counted += BlockLength;
                Compress(block, last: false);
            }
            for (; left > BlockLength; left -= BlockLength)
            {
                _counted += BlockLength;
                Compress(from, last: false);
                from += BlockLength;
            }
            Unsafe.CopyBlockUnaligned(block, from, (uint)left);
            _filled = left;
        }
    }

    /// <param name="hash">16 or 32 bytes, as at the start.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Finish(Span<byte> hash)
    {
        Finish();
        _low.AsByte().CopyTo(hash);
        if (hash.Length > Vector128<byte>.Count) _high.AsByte().CopyTo(hash[Vector128<byte>.Count..]);
    }

    /// <summary>Compresses the last block: the state is the hash now.</summary>
    public void Finish()
    {
        fixed (byte* block = _block)
        {
            new Span<byte>(block + _filled, BlockLength - _filled).Clear();
            _counted += (ulong)_filled;
            Compress(block, last: true);
        }
    }

    /// <summary>Forgets everything.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Clear() => CryptographicOperations.ZeroMemory(MemoryMarshal.AsBytes(new Span<Blake2sVectors>(ref this)));

    private void Compress(byte* block, bool last) => Blake2sKernel.Compress(ref _low, ref _high, block, _counted, last);
}
