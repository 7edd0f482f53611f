using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// BLAKE2s's compression (RFC 7693 section 3.2) in vectors of twice four words: a row of the state each, so that the four columns,
/// and then the four diagonals, are mixed at once; and two states side by side, as one takes no longer alone.
/// </summary>
internal static unsafe class Blake2sKernel
{
    public const int BlockLength = 64;

    public static bool IsSupported => Avx2.IsSupported;

    /// <summary>The state that a hash starts with: its words 4 to 7.</summary>
    public static Vector128<uint> StartHigh => Vector128.Create(0x510e527fu, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);

    private static Vector128<uint> InitialLow => Vector128.Create(0x6a09e667u, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a);

    /// <summary>The state that a hash starts with: its words 0 to 3.</summary>
    /// <param name="hashLength">16 or 32.</param>
    /// <param name="keyLength">Of the key that the first block, filled up with zeroes, will be; 0 for none.</param>
    public static Vector128<uint> StartLow(int hashLength, int keyLength) =>
        InitialLow ^ Vector128.Create(0x01010000u ^ (uint)keyLength << 8 ^ (uint)hashLength, 0, 0, 0);

    /// <summary>Compresses a block into a state, its words 0 to 3 and 4 to 7.</summary>
    /// <param name="counted">Bytes up to this block's end.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compress(ref Vector128<uint> low, ref Vector128<uint> high, byte* block, ulong counted, bool last)
    {
        Vector256<uint> lows = low.ToVector256Unsafe(), highs = high.ToVector256Unsafe();
        Compress<OneBlock>(ref lows, ref highs, block, Vector128.Create((uint)counted, (uint)(counted >> 32), Flag(last), 0).ToVector256Unsafe());
        low = lows.GetLower();
        high = highs.GetLower();
    }

    /// <summary>
    /// What HMAC (RFC 2104) begins with: the states, in the lower halves of the hash over the text, in the upper ones of the hash
    /// over that hash, after the key's block with the inner pad and with the outer one.
    /// </summary>
    /// <param name="key">64 bytes: the key, filled up with zeroes.</param>
    /// <param name="noText">Whether no text follows, so that the inner block is its hash's last.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CompressKey(out Vector256<uint> low, out Vector256<uint> high, byte* key, bool noText)
    {
        low = BothHalves(StartLow(Blake2s.HashLength, keyLength: 0));
        high = BothHalves(StartHigh);
        Compress<KeyBlocks>(ref low, ref high, key, Vector256.Create(BlockLength, 0, Flag(noText), 0, BlockLength, 0, 0, 0));
    }

    private static uint Flag(bool last) => last ? uint.MaxValue : 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Compress<TMessage>(ref Vector256<uint> low, ref Vector256<uint> high, byte* block, Vector256<uint> countedAndFlag)
        where TMessage : IMessage
    {
        uint* m = (uint*)block;
        Vector256<uint> a = low, b = high, c = BothHalves(InitialLow), d = BothHalves(StartHigh) ^ countedAndFlag;
        Round(ref a, ref b, ref c, ref d, TMessage.Words(m, 0, 2, 4, 6), TMessage.Words(m, 1, 3, 5, 7),
            TMessage.Words(m, 14, 8, 10, 12), TMessage.Words(m, 15, 9, 11, 13));
        Round(ref a, ref b, ref c, ref d, TMessage.Words(m, 14, 4, 9, 13), TMessage.Words(m, 10, 8, 15, 6),
            TMessage.Words(m, 5, 1, 0, 11), TMessage.Words(m, 3, 12, 2, 7));
        Round(ref a, ref b, ref c, ref d, TMessage.Words(m, 11, 12, 5, 15), TMessage.Words(m, 8, 0, 2, 13),
            TMessage.Words(m, 9, 10, 3, 7), TMessage.Words(m, 4, 14, 6, 1));
        Round(ref a, ref b, ref c, ref d, TMessage.Words(m, 7, 3, 13, 11), TMessage.Words(m, 9, 1, 12, 14),
            TMessage.Words(m, 15, 2, 5, 4), TMessage.Words(m, 8, 6, 10, 0));
        Round(ref a, ref b, ref c, ref d, TMessage.Words(m, 9, 5, 2, 10), TMessage.Words(m, 0, 7, 4, 15),
            TMessage.Words(m, 3, 14, 11, 6), TMessage.Words(m, 13, 1, 12, 8));
        Round(ref a, ref b, ref c, ref d, TMessage.Words(m, 2, 6, 0, 8), TMessage.Words(m, 12, 10, 11, 3),
            TMessage.Words(m, 1, 4, 7, 15), TMessage.Words(m, 9, 13, 5, 14));
        Round(ref a, ref b, ref c, ref d, TMessage.Words(m, 12, 1, 14, 4), TMessage.Words(m, 5, 15, 13, 10),
            TMessage.Words(m, 8, 0, 6, 9), TMessage.Words(m, 11, 7, 3, 2));
        Round(ref a, ref b, ref c, ref d, TMessage.Words(m, 13, 7, 12, 3), TMessage.Words(m, 11, 14, 1, 9),
            TMessage.Words(m, 2, 5, 15, 8), TMessage.Words(m, 10, 0, 4, 6));
        Round(ref a, ref b, ref c, ref d, TMessage.Words(m, 6, 14, 11, 0), TMessage.Words(m, 15, 9, 3, 8),
            TMessage.Words(m, 10, 12, 13, 1), TMessage.Words(m, 5, 2, 7, 4));
        Round(ref a, ref b, ref c, ref d, TMessage.Words(m, 10, 8, 7, 1), TMessage.Words(m, 2, 4, 6, 5),
            TMessage.Words(m, 13, 15, 9, 3), TMessage.Words(m, 0, 11, 14, 12));
        low ^= a ^ c;
        high ^= b ^ d;
    }

    /// <summary>
    /// The columns, then the diagonals, for which rows a, c and d are turned against b, which is the last to be known.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Round(ref Vector256<uint> a, ref Vector256<uint> b, ref Vector256<uint> c, ref Vector256<uint> d,
        Vector256<uint> columns1, Vector256<uint> columns2, Vector256<uint> diagonals1, Vector256<uint> diagonals2)
    {
        Mix(ref a, ref b, ref c, ref d, columns1, columns2);
        a = Avx2.Shuffle(a, 0b10_01_00_11);
        c = Avx2.Shuffle(c, 0b00_11_10_01);
        d = Avx2.Shuffle(d, 0b01_00_11_10);
        Mix(ref a, ref b, ref c, ref d, diagonals1, diagonals2);
        a = Avx2.Shuffle(a, 0b00_11_10_01);
        c = Avx2.Shuffle(c, 0b10_01_00_11);
        d = Avx2.Shuffle(d, 0b01_00_11_10);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(ref Vector256<uint> a, ref Vector256<uint> b, ref Vector256<uint> c, ref Vector256<uint> d,
        Vector256<uint> first, Vector256<uint> second)
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
    private static Vector256<uint> RotateRight16(Vector256<uint> value) => Avx512F.VL.IsSupported
        ? Avx512F.VL.RotateRight(value, 16)
        : Avx2.Shuffle(value.AsByte(), BothHalves(Vector128.Create((byte)2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13))).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> RotateRight12(Vector256<uint> value) =>
        Avx512F.VL.IsSupported ? Avx512F.VL.RotateRight(value, 12) : (value >>> 12) ^ (value << 20);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> RotateRight8(Vector256<uint> value) => Avx512F.VL.IsSupported
        ? Avx512F.VL.RotateRight(value, 8)
        : Avx2.Shuffle(value.AsByte(), BothHalves(Vector128.Create((byte)1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12))).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> RotateRight7(Vector256<uint> value) =>
        Avx512F.VL.IsSupported ? Avx512F.VL.RotateRight(value, 7) : (value >>> 7) ^ (value << 25);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<T> BothHalves<T>(Vector128<T> half) => Vector256.Create(half, half);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> FourWords(uint* m, int first, int second, int third, int fourth) =>
        Sse2.UnpackLow(
            Sse2.UnpackLow(Sse2.LoadScalarVector128(m + first), Sse2.LoadScalarVector128(m + second)).AsUInt64(),
            Sse2.UnpackLow(Sse2.LoadScalarVector128(m + third), Sse2.LoadScalarVector128(m + fourth)).AsUInt64()).AsUInt32();

    /// <summary>Where the words that are mixed in come from.</summary>
    private interface IMessage
    {
        static abstract Vector256<uint> Words(uint* m, int first, int second, int third, int fourth);
    }

    /// <summary>A block for the lower halves; what becomes of the upper ones does not matter.</summary>
    private readonly struct OneBlock : IMessage
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<uint> Words(uint* m, int first, int second, int third, int fourth) =>
            FourWords(m, first, second, third, fourth).ToVector256Unsafe();
    }

    /// <summary>HMAC's key with the inner pad for the lower halves, with the outer one for the upper.</summary>
    private readonly struct KeyBlocks : IMessage
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<uint> Words(uint* m, int first, int second, int third, int fourth) =>
            BothHalves(FourWords(m, first, second, third, fourth)) ^ Vector256.Create(Vector128.Create(0x36363636u), Vector128.Create(0x5c5c5c5cu));
    }
}
