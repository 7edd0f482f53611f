using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// Sixteen blocks at a time, in AVX-512, which has rotations and registers for the whole state. Where there is only AVX2 it
/// computes the same in halves: of no use but for the tests, which so hold it to account on every machine.
/// </summary>
internal readonly unsafe struct CipherVector512 : ICipherVector<Vector512<uint>>
{
    public static int Lanes => Vector512<uint>.Count;

    public static Vector512<uint> Iota => Vector512<uint>.Indices;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Broadcast(uint word) => Vector512.Create(word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Add(Vector512<uint> left, Vector512<uint> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Xor(Vector512<uint> left, Vector512<uint> right) => left ^ right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> RotateLeft16(Vector512<uint> value, int variant) =>
        Avx512F.IsSupported ? Avx512F.RotateLeft(value, 16) : (value << 16) ^ (value >>> 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> RotateLeft12(Vector512<uint> value) =>
        Avx512F.IsSupported ? Avx512F.RotateLeft(value, 12) : (value << 12) ^ (value >>> 20);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> RotateLeft8(Vector512<uint> value, int variant) =>
        Avx512F.IsSupported ? Avx512F.RotateLeft(value, 8) : (value << 8) ^ (value >>> 24);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> RotateLeft7(Vector512<uint> value) =>
        Avx512F.IsSupported ? Avx512F.RotateLeft(value, 7) : (value << 7) ^ (value >>> 25);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MixInto(byte** sources, byte** destinations,
        Vector512<uint> x0, Vector512<uint> x1, Vector512<uint> x2, Vector512<uint> x3,
        Vector512<uint> x4, Vector512<uint> x5, Vector512<uint> x6, Vector512<uint> x7,
        Vector512<uint> x8, Vector512<uint> x9, Vector512<uint> x10, Vector512<uint> x11,
        Vector512<uint> x12, Vector512<uint> x13, Vector512<uint> x14, Vector512<uint> x15)
    {
        // Four words of lanes n, n + 4, n + 8 and n + 12 come to stand side by side in the n-th of each four.
        Turn(ref x0, ref x1, ref x2, ref x3);
        Turn(ref x4, ref x5, ref x6, ref x7);
        Turn(ref x8, ref x9, ref x10, ref x11);
        Turn(ref x12, ref x13, ref x14, ref x15);
        MixFour(sources, destinations, 0, x0, x4, x8, x12);
        MixFour(sources, destinations, 1, x1, x5, x9, x13);
        MixFour(sources, destinations, 2, x2, x6, x10, x14);
        MixFour(sources, destinations, 3, x3, x7, x11, x15);
    }

    /// <summary>A transposition of 4 by 4 in each quarter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn(ref Vector512<uint> a, ref Vector512<uint> b, ref Vector512<uint> c, ref Vector512<uint> d)
    {
        Vector512<ulong> abLow = UnpackLow(a, b).AsUInt64(), abHigh = UnpackHigh(a, b).AsUInt64();
        Vector512<ulong> cdLow = UnpackLow(c, d).AsUInt64(), cdHigh = UnpackHigh(c, d).AsUInt64();
        a = UnpackLow(abLow, cdLow).AsUInt32();
        b = UnpackHigh(abLow, cdLow).AsUInt32();
        c = UnpackLow(abHigh, cdHigh).AsUInt32();
        d = UnpackHigh(abHigh, cdHigh).AsUInt32();
    }

    /// <summary>A transposition of 4 by 4 quarters: of lanes lane, lane + 4, lane + 8 and lane + 12.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MixFour(byte** sources, byte** destinations, int lane,
        Vector512<uint> a, Vector512<uint> b, Vector512<uint> c, Vector512<uint> d)
    {
        Vector512<uint> abLow = Quarters(a, b, 0x44), cdLow = Quarters(c, d, 0x44);
        Vector512<uint> abHigh = Quarters(a, b, 0xee), cdHigh = Quarters(c, d, 0xee);
        Mix(sources[lane], destinations[lane], Quarters(abLow, cdLow, 0x88));
        Mix(sources[lane + 4], destinations[lane + 4], Quarters(abLow, cdLow, 0xdd));
        Mix(sources[lane + 8], destinations[lane + 8], Quarters(abHigh, cdHigh, 0x88));
        Mix(sources[lane + 12], destinations[lane + 12], Quarters(abHigh, cdHigh, 0xdd));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(byte* source, byte* destination, Vector512<uint> keystream) =>
        (Vector512.Load((uint*)source) ^ keystream).Store((uint*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> UnpackLow(Vector512<uint> a, Vector512<uint> b) => Avx512F.IsSupported
        ? Avx512F.UnpackLow(a, b)
        : Vector512.Create(Avx2.UnpackLow(a.GetLower(), b.GetLower()), Avx2.UnpackLow(a.GetUpper(), b.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> UnpackHigh(Vector512<uint> a, Vector512<uint> b) => Avx512F.IsSupported
        ? Avx512F.UnpackHigh(a, b)
        : Vector512.Create(Avx2.UnpackHigh(a.GetLower(), b.GetLower()), Avx2.UnpackHigh(a.GetUpper(), b.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> UnpackLow(Vector512<ulong> a, Vector512<ulong> b) => Avx512F.IsSupported
        ? Avx512F.UnpackLow(a, b)
        : Vector512.Create(Avx2.UnpackLow(a.GetLower(), b.GetLower()), Avx2.UnpackLow(a.GetUpper(), b.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> UnpackHigh(Vector512<ulong> a, Vector512<ulong> b) => Avx512F.IsSupported
        ? Avx512F.UnpackHigh(a, b)
        : Vector512.Create(Avx2.UnpackHigh(a.GetLower(), b.GetLower()), Avx2.UnpackHigh(a.GetUpper(), b.GetUpper()));

    /// <summary>Two quarters of each, chosen by two bits for each of the four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Quarters(Vector512<uint> a, Vector512<uint> b, [System.Diagnostics.CodeAnalysis.ConstantExpected] byte choice) =>
        Avx512F.IsSupported
            ? Avx512F.Shuffle4x128(a, b, choice)
            : Vector512.Create(
                Vector256.Create(Quarter(a, choice), Quarter(a, choice >> 2)),
                Vector256.Create(Quarter(b, choice >> 4), Quarter(b, choice >> 6)));

    private static Vector128<uint> Quarter(Vector512<uint> vector, int index)
    {
        Vector256<uint> half = (index & 2) == 0 ? vector.GetLower() : vector.GetUpper();
        return (index & 1) == 0 ? half.GetLower() : half.GetUpper();
    }
}
