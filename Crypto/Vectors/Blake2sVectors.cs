using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// BLAKE2s (RFC 7693) in vectors of four words: a row of the state each, so that the four columns, and then the four diagonals,
/// are mixed at once. A state that takes input piece by piece. Nothing branches on, or is addressed by, anything but lengths.
/// </summary>
internal unsafe struct Blake2sVectors
{
    private const int BlockLength = 64;

    private Vector128<uint> _low;
    private Vector128<uint> _high;
    private ulong _counted;
    private int _filled;
    private fixed byte _block[BlockLength];

    public static bool IsSupported => Ssse3.IsSupported && Sse41.IsSupported;

    private static Vector128<uint> InitialLow => Vector128.Create(0x6a09e667u, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a);

    private static Vector128<uint> InitialHigh => Vector128.Create(0x510e527fu, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);

    /// <param name="hashLength">16 or 32.</param>
    /// <param name="keyLength">Of the key that the first block, filled up with zeroes, will be; 0 for none.</param>
    public void Start(int hashLength, int keyLength)
    {
        _low = InitialLow ^ Vector128.Create(0x01010000u ^ (uint)keyLength << 8 ^ (uint)hashLength, 0, 0, 0);
        _high = InitialHigh;
        _counted = 0;
        _filled = 0;
    }

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

    /// <summary>Compresses a full block that waits for more, which must follow.</summary>
    public void TakeBlock()
    {
        if (_filled < BlockLength) return;
        _counted += BlockLength;
        fixed (byte* block = _block) Compress(block, last: false);
        _filled = 0;
    }

    /// <param name="hash">16 or 32 bytes, as at the start.</param>
    public void Finish(Span<byte> hash)
    {
        fixed (byte* block = _block)
        {
            new Span<byte>(block + _filled, BlockLength - _filled).Clear();
            _counted += (ulong)_filled;
            Compress(block, last: true);
        }
        _low.AsByte().CopyTo(hash);
        if (hash.Length > Vector128<byte>.Count) _high.AsByte().CopyTo(hash[Vector128<byte>.Count..]);
    }

    /// <summary>Forgets everything.</summary>
    public void Clear() => CryptographicOperations.ZeroMemory(MemoryMarshal.AsBytes(new Span<Blake2sVectors>(ref this)));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Compress(byte* block, bool last)
    {
        uint* m = (uint*)block;
        Vector128<uint> a = _low, b = _high, c = InitialLow;
        Vector128<uint> d = InitialHigh ^ Vector128.Create((uint)_counted, (uint)(_counted >> 32), last ? uint.MaxValue : 0, 0);
        Round(ref a, ref b, ref c, ref d, Words(m, 0, 2, 4, 6), Words(m, 1, 3, 5, 7),
            Words(m, 14, 8, 10, 12), Words(m, 15, 9, 11, 13));
        Round(ref a, ref b, ref c, ref d, Words(m, 14, 4, 9, 13), Words(m, 10, 8, 15, 6),
            Words(m, 5, 1, 0, 11), Words(m, 3, 12, 2, 7));
        Round(ref a, ref b, ref c, ref d, Words(m, 11, 12, 5, 15), Words(m, 8, 0, 2, 13),
            Words(m, 9, 10, 3, 7), Words(m, 4, 14, 6, 1));
        Round(ref a, ref b, ref c, ref d, Words(m, 7, 3, 13, 11), Words(m, 9, 1, 12, 14),
            Words(m, 15, 2, 5, 4), Words(m, 8, 6, 10, 0));
        Round(ref a, ref b, ref c, ref d, Words(m, 9, 5, 2, 10), Words(m, 0, 7, 4, 15),
            Words(m, 3, 14, 11, 6), Words(m, 13, 1, 12, 8));
        Round(ref a, ref b, ref c, ref d, Words(m, 2, 6, 0, 8), Words(m, 12, 10, 11, 3),
            Words(m, 1, 4, 7, 15), Words(m, 9, 13, 5, 14));
        Round(ref a, ref b, ref c, ref d, Words(m, 12, 1, 14, 4), Words(m, 5, 15, 13, 10),
            Words(m, 8, 0, 6, 9), Words(m, 11, 7, 3, 2));
        Round(ref a, ref b, ref c, ref d, Words(m, 13, 7, 12, 3), Words(m, 11, 14, 1, 9),
            Words(m, 2, 5, 15, 8), Words(m, 10, 0, 4, 6));
        Round(ref a, ref b, ref c, ref d, Words(m, 6, 14, 11, 0), Words(m, 15, 9, 3, 8),
            Words(m, 10, 12, 13, 1), Words(m, 5, 2, 7, 4));
        Round(ref a, ref b, ref c, ref d, Words(m, 10, 8, 7, 1), Words(m, 2, 4, 6, 5),
            Words(m, 13, 15, 9, 3), Words(m, 0, 11, 14, 12));
        _low ^= a ^ c;
        _high ^= b ^ d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Words(uint* m, int first, int second, int third, int fourth) =>
        Sse2.UnpackLow(
            Sse2.UnpackLow(Sse2.LoadScalarVector128(m + first), Sse2.LoadScalarVector128(m + second)).AsUInt64(),
            Sse2.UnpackLow(Sse2.LoadScalarVector128(m + third), Sse2.LoadScalarVector128(m + fourth)).AsUInt64()).AsUInt32();

    /// <summary>
    /// The columns, then the diagonals, for which rows a, c and d are turned against b, which is the last to be known.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Round(ref Vector128<uint> a, ref Vector128<uint> b, ref Vector128<uint> c, ref Vector128<uint> d,
        Vector128<uint> columns1, Vector128<uint> columns2, Vector128<uint> diagonals1, Vector128<uint> diagonals2)
    {
        Mix(ref a, ref b, ref c, ref d, columns1, columns2);
        a = Sse2.Shuffle(a, 0b10_01_00_11);
        c = Sse2.Shuffle(c, 0b00_11_10_01);
        d = Sse2.Shuffle(d, 0b01_00_11_10);
        Mix(ref a, ref b, ref c, ref d, diagonals1, diagonals2);
        a = Sse2.Shuffle(a, 0b00_11_10_01);
        c = Sse2.Shuffle(c, 0b10_01_00_11);
        d = Sse2.Shuffle(d, 0b01_00_11_10);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(ref Vector128<uint> a, ref Vector128<uint> b, ref Vector128<uint> c, ref Vector128<uint> d,
        Vector128<uint> first, Vector128<uint> second)
    {
        a = a + first + b;
        d = RotateRight16(d ^ a);
        c += d;
        b = RotateRight12(b ^ c);
        a = a + second + b;
        d = RotateRight8(d ^ a);
        c += d;
        b = RotateRight7(b ^ c);
    }

    // AVX-512 has rotations, for vectors of this width too.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> RotateRight16(Vector128<uint> value) => Avx512F.VL.IsSupported
        ? Avx512F.VL.RotateRight(value, 16)
        : Ssse3.Shuffle(value.AsByte(), Vector128.Create((byte)2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> RotateRight12(Vector128<uint> value) =>
        Avx512F.VL.IsSupported ? Avx512F.VL.RotateRight(value, 12) : (value >>> 12) ^ (value << 20);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> RotateRight8(Vector128<uint> value) => Avx512F.VL.IsSupported
        ? Avx512F.VL.RotateRight(value, 8)
        : Ssse3.Shuffle(value.AsByte(), Vector128.Create((byte)1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12)).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> RotateRight7(Vector128<uint> value) =>
        Avx512F.VL.IsSupported ? Avx512F.VL.RotateRight(value, 7) : (value >>> 7) ^ (value << 25);
}
