using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mesh.Crypto.Vectors;

/// <summary>Eight blocks at a time, in AVX2.</summary>
internal readonly unsafe struct CipherVector256 : ICipherVector<Vector256<uint>>
{
    public static int Lanes => Vector256<uint>.Count;

    public static Vector256<uint> Iota => Vector256<uint>.Indices;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Broadcast(uint word) => Vector256.Create(word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Add(Vector256<uint> left, Vector256<uint> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Xor(Vector256<uint> left, Vector256<uint> right) => left ^ right;

    // Whole bytes turn by one shuffle, which is cheaper than two shifts and an or. It minds bits 0 to 3 and 7 of an index.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> RotateLeft16(Vector256<uint> value, int variant)
    {
        variant <<= 4;
        Vector128<byte> order = Vector128.Create(
            (byte)(variant + 2), (byte)(variant + 3), (byte)(variant + 0), (byte)(variant + 1),
            (byte)(variant + 6), (byte)(variant + 7), (byte)(variant + 4), (byte)(variant + 5),
            (byte)(variant + 10), (byte)(variant + 11), (byte)(variant + 8), (byte)(variant + 9),
            (byte)(variant + 14), (byte)(variant + 15), (byte)(variant + 12), (byte)(variant + 13));
        return Avx2.Shuffle(value.AsByte(), Vector256.Create(order, order)).AsUInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> RotateLeft12(Vector256<uint> value) => (value << 12) ^ (value >>> 20);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> RotateLeft8(Vector256<uint> value, int variant)
    {
        variant <<= 4;
        Vector128<byte> order = Vector128.Create(
            (byte)(variant + 3), (byte)(variant + 0), (byte)(variant + 1), (byte)(variant + 2),
            (byte)(variant + 7), (byte)(variant + 4), (byte)(variant + 5), (byte)(variant + 6),
            (byte)(variant + 11), (byte)(variant + 8), (byte)(variant + 9), (byte)(variant + 10),
            (byte)(variant + 15), (byte)(variant + 12), (byte)(variant + 13), (byte)(variant + 14));
        return Avx2.Shuffle(value.AsByte(), Vector256.Create(order, order)).AsUInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> RotateLeft7(Vector256<uint> value) => (value << 7) ^ (value >>> 25);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MixInto(byte** sources, byte** destinations,
        Vector256<uint> x0, Vector256<uint> x1, Vector256<uint> x2, Vector256<uint> x3,
        Vector256<uint> x4, Vector256<uint> x5, Vector256<uint> x6, Vector256<uint> x7,
        Vector256<uint> x8, Vector256<uint> x9, Vector256<uint> x10, Vector256<uint> x11,
        Vector256<uint> x12, Vector256<uint> x13, Vector256<uint> x14, Vector256<uint> x15)
    {
        MixHalf(sources, destinations, 0, x0, x1, x2, x3, x4, x5, x6, x7);
        MixHalf(sources, destinations, 32, x8, x9, x10, x11, x12, x13, x14, x15);
    }

    /// <summary>Eight words of eight lanes are eight pieces of 32 bytes: a transposition of 8 by 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MixHalf(byte** sources, byte** destinations, int offset,
        Vector256<uint> a, Vector256<uint> b, Vector256<uint> c, Vector256<uint> d,
        Vector256<uint> e, Vector256<uint> f, Vector256<uint> g, Vector256<uint> h)
    {
        // Words of lanes 0 and 4, 1 and 5, 2 and 6, 3 and 7 come to stand side by side, four words of each.
        Vector256<ulong> ab = Avx2.UnpackLow(a, b).AsUInt64(), cd = Avx2.UnpackLow(c, d).AsUInt64();
        Vector256<ulong> ef = Avx2.UnpackLow(e, f).AsUInt64(), gh = Avx2.UnpackLow(g, h).AsUInt64();
        Vector256<ulong> first = Avx2.UnpackLow(ab, cd), second = Avx2.UnpackLow(ef, gh);
        Mix(sources[0], destinations[0], offset, Avx2.Permute2x128(first, second, 0x20));
        Mix(sources[4], destinations[4], offset, Avx2.Permute2x128(first, second, 0x31));
        first = Avx2.UnpackHigh(ab, cd);
        second = Avx2.UnpackHigh(ef, gh);
        Mix(sources[1], destinations[1], offset, Avx2.Permute2x128(first, second, 0x20));
        Mix(sources[5], destinations[5], offset, Avx2.Permute2x128(first, second, 0x31));
        ab = Avx2.UnpackHigh(a, b).AsUInt64();
        cd = Avx2.UnpackHigh(c, d).AsUInt64();
        ef = Avx2.UnpackHigh(e, f).AsUInt64();
        gh = Avx2.UnpackHigh(g, h).AsUInt64();
        first = Avx2.UnpackLow(ab, cd);
        second = Avx2.UnpackLow(ef, gh);
        Mix(sources[2], destinations[2], offset, Avx2.Permute2x128(first, second, 0x20));
        Mix(sources[6], destinations[6], offset, Avx2.Permute2x128(first, second, 0x31));
        first = Avx2.UnpackHigh(ab, cd);
        second = Avx2.UnpackHigh(ef, gh);
        Mix(sources[3], destinations[3], offset, Avx2.Permute2x128(first, second, 0x20));
        Mix(sources[7], destinations[7], offset, Avx2.Permute2x128(first, second, 0x31));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(byte* source, byte* destination, int offset, Vector256<ulong> keystream) =>
        (Vector256.Load((ulong*)(source + offset)) ^ keystream).Store((ulong*)(destination + offset));
}
