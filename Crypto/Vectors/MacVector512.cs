using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// Eight messages, or eight blocks of one, at a time, in AVX-512; like <see cref="CipherVector512"/> it computes the same in
/// halves where there is only AVX2. The lanes stand in the order 0, 2, 1, 3, 4, 6, 5, 7.
/// </summary>
internal readonly unsafe struct MacVector512 : IMacVector<Vector512<ulong>>
{
    public static int Lanes => Vector512<ulong>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Broadcast(ulong value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Gather(byte** pointers, nint offset, out Vector512<ulong> low, out Vector512<ulong> high)
    {
        MacVector256.Gather(pointers, offset, out Vector256<ulong> lowerLow, out Vector256<ulong> lowerHigh);
        MacVector256.Gather(pointers + MacVector256.Lanes, offset, out Vector256<ulong> upperLow, out Vector256<ulong> upperHigh);
        low = Vector512.Create(lowerLow, upperLow);
        high = Vector512.Create(lowerHigh, upperHigh);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scatter(byte** pointers, Vector512<ulong> low, Vector512<ulong> high)
    {
        MacVector256.Scatter(pointers, low.GetLower(), high.GetLower());
        MacVector256.Scatter(pointers + MacVector256.Lanes, low.GetUpper(), high.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Multiply(Vector512<ulong> left, Vector512<ulong> right) => Avx512F.IsSupported
        ? Avx512F.Multiply(left.AsUInt32(), right.AsUInt32())
        : Vector512.Create(MacVector256.Multiply(left.GetLower(), right.GetLower()), MacVector256.Multiply(left.GetUpper(), right.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Add(Vector512<ulong> left, Vector512<ulong> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Subtract(Vector512<ulong> left, Vector512<ulong> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> And(Vector512<ulong> left, Vector512<ulong> right) => left & right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Or(Vector512<ulong> left, Vector512<ulong> right) => left | right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> ShiftLeft(Vector512<ulong> value, int count) => value << count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> ShiftRight(Vector512<ulong> value, int count) => value >>> count;
}
