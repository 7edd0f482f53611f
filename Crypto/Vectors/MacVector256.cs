using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mesh.Crypto.Vectors;

/// <summary>Four messages, or four blocks of one, at a time, in AVX2. The lanes stand in the order 0, 2, 1, 3.</summary>
internal readonly unsafe struct MacVector256 : IMacVector<Vector256<ulong>>
{
    public static int Lanes => Vector256<ulong>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Broadcast(ulong value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Gather(byte** pointers, nint offset, out Vector256<ulong> low, out Vector256<ulong> high)
    {
        Vector256<ulong> a = Vector256.Create(Vector128.Load((ulong*)(pointers[0] + offset)), Vector128.Load((ulong*)(pointers[1] + offset)));
        Vector256<ulong> b = Vector256.Create(Vector128.Load((ulong*)(pointers[2] + offset)), Vector128.Load((ulong*)(pointers[3] + offset)));
        low = Avx2.UnpackLow(a, b);
        high = Avx2.UnpackHigh(a, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scatter(byte** pointers, Vector256<ulong> low, Vector256<ulong> high)
    {
        Vector256<ulong> a = Avx2.UnpackLow(low, high), b = Avx2.UnpackHigh(low, high);
        a.GetLower().Store((ulong*)pointers[0]);
        a.GetUpper().Store((ulong*)pointers[1]);
        b.GetLower().Store((ulong*)pointers[2]);
        b.GetUpper().Store((ulong*)pointers[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Multiply(Vector256<ulong> left, Vector256<ulong> right) =>
        Avx2.Multiply(left.AsUInt32(), right.AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Add(Vector256<ulong> left, Vector256<ulong> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Subtract(Vector256<ulong> left, Vector256<ulong> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> And(Vector256<ulong> left, Vector256<ulong> right) => left & right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Or(Vector256<ulong> left, Vector256<ulong> right) => left | right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> ShiftLeft(Vector256<ulong> value, int count) => value << count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> ShiftRight(Vector256<ulong> value, int count) => value >>> count;
}
