using System.Runtime.CompilerServices;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// Numbers modulo 2^130 - 5 in every lane, as five limbs of 26 bits: the arithmetic of Poly1305 (RFC 8439 section 2.5), in the
/// representation that all vector implementations use, since two limbs' product and a sum of such fit into 64 bits. A limb
/// may exceed its 26 bits a little until <see cref="Tag"/>. Nothing branches on, or is addressed by, a number.
/// </summary>
internal static unsafe class Poly1305Limbs<TVector, TOps>
    where TVector : unmanaged
    where TOps : IMacVector<TVector>
{
    public const int Count = 5;

    /// <summary>A factor's five limbs, and then its upper four times 5: what is carried past 2^130 comes back so.</summary>
    public const int FactorCount = 9;

    private const ulong LimbMask = (1 << 26) - 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(TVector low, TVector high,
        out TVector a0, out TVector a1, out TVector a2, out TVector a3, out TVector a4)
    {
        TVector mask = TOps.Broadcast(LimbMask);
        a0 = TOps.And(low, mask);
        a1 = TOps.And(TOps.ShiftRight(low, 26), mask);
        a2 = TOps.And(TOps.Or(TOps.ShiftRight(low, 52), TOps.ShiftLeft(high, 12)), mask);
        a3 = TOps.And(TOps.ShiftRight(high, 14), mask);
        a4 = TOps.ShiftRight(high, 40);
    }

    /// <summary>d += a * factor, without carrying: a's limbs below 2^28, and at most eight such products fit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddProduct(TVector a0, TVector a1, TVector a2, TVector a3, TVector a4, TVector* factor,
        ref TVector d0, ref TVector d1, ref TVector d2, ref TVector d3, ref TVector d4)
    {
        d0 = TOps.Add(d0, TOps.Multiply(a0, factor[0]));
        d1 = TOps.Add(d1, TOps.Multiply(a0, factor[1]));
        d2 = TOps.Add(d2, TOps.Multiply(a0, factor[2]));
        d3 = TOps.Add(d3, TOps.Multiply(a0, factor[3]));
        d4 = TOps.Add(d4, TOps.Multiply(a0, factor[4]));

        d0 = TOps.Add(d0, TOps.Multiply(a1, factor[8]));
        d1 = TOps.Add(d1, TOps.Multiply(a1, factor[0]));
        d2 = TOps.Add(d2, TOps.Multiply(a1, factor[1]));
        d3 = TOps.Add(d3, TOps.Multiply(a1, factor[2]));
        d4 = TOps.Add(d4, TOps.Multiply(a1, factor[3]));

        d0 = TOps.Add(d0, TOps.Multiply(a2, factor[7]));
        d1 = TOps.Add(d1, TOps.Multiply(a2, factor[8]));
        d2 = TOps.Add(d2, TOps.Multiply(a2, factor[0]));
        d3 = TOps.Add(d3, TOps.Multiply(a2, factor[1]));
        d4 = TOps.Add(d4, TOps.Multiply(a2, factor[2]));

        d0 = TOps.Add(d0, TOps.Multiply(a3, factor[6]));
        d1 = TOps.Add(d1, TOps.Multiply(a3, factor[7]));
        d2 = TOps.Add(d2, TOps.Multiply(a3, factor[8]));
        d3 = TOps.Add(d3, TOps.Multiply(a3, factor[0]));
        d4 = TOps.Add(d4, TOps.Multiply(a3, factor[1]));

        d0 = TOps.Add(d0, TOps.Multiply(a4, factor[5]));
        d1 = TOps.Add(d1, TOps.Multiply(a4, factor[6]));
        d2 = TOps.Add(d2, TOps.Multiply(a4, factor[7]));
        d3 = TOps.Add(d3, TOps.Multiply(a4, factor[8]));
        d4 = TOps.Add(d4, TOps.Multiply(a4, factor[0]));
    }

    /// <summary>Carries from limb to limb, in two chains at once. Limb 1 and limb 4 may be left a little above 26 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Carry(ref TVector d0, ref TVector d1, ref TVector d2, ref TVector d3, ref TVector d4)
    {
        TVector mask = TOps.Broadcast(LimbMask);
        d1 = TOps.Add(d1, TOps.ShiftRight(d0, 26));
        d4 = TOps.Add(d4, TOps.ShiftRight(d3, 26));
        d0 = TOps.And(d0, mask);
        d3 = TOps.And(d3, mask);
        TVector over = TOps.ShiftRight(d4, 26);
        d2 = TOps.Add(d2, TOps.ShiftRight(d1, 26));
        d4 = TOps.And(d4, mask);
        d1 = TOps.And(d1, mask);
        d0 = TOps.Add(d0, TOps.Add(over, TOps.ShiftLeft(over, 2)));
        d3 = TOps.Add(d3, TOps.ShiftRight(d2, 26));
        d2 = TOps.And(d2, mask);
        d1 = TOps.Add(d1, TOps.ShiftRight(d0, 26));
        d4 = TOps.Add(d4, TOps.ShiftRight(d3, 26));
        d0 = TOps.And(d0, mask);
        d3 = TOps.And(d3, mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreFactor(TVector* factor, TVector a0, TVector a1, TVector a2, TVector a3, TVector a4)
    {
        factor[0] = a0;
        factor[1] = a1;
        factor[2] = a2;
        factor[3] = a3;
        factor[4] = a4;
        factor[5] = TOps.Add(a1, TOps.ShiftLeft(a1, 2));
        factor[6] = TOps.Add(a2, TOps.ShiftLeft(a2, 2));
        factor[7] = TOps.Add(a3, TOps.ShiftLeft(a3, 2));
        factor[8] = TOps.Add(a4, TOps.ShiftLeft(a4, 2));
    }

    /// <summary>product = left * right, all three factors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(TVector* product, TVector* left, TVector* right)
    {
        TVector d0 = TOps.Broadcast(0), d1 = d0, d2 = d0, d3 = d0, d4 = d0;
        AddProduct(left[0], left[1], left[2], left[3], left[4], right, ref d0, ref d1, ref d2, ref d3, ref d4);
        Carry(ref d0, ref d1, ref d2, ref d3, ref d4);
        StoreFactor(product, d0, d1, d2, d3, d4);
    }

    /// <summary>Writes (sum mod 2^130 - 5) + s mod 2^128 to each lane's tag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tag(TVector* sum, byte** keys, byte** tags)
    {
        TVector mask = TOps.Broadcast(LimbMask), h0 = sum[0], h1 = sum[1], h2 = sum[2], h3 = sum[3], h4 = sum[4];
        // Twice, as the first time may leave the limbs as full as can be.
        for (int i = 0; i < 2; i++)
        {
            h1 = TOps.Add(h1, TOps.ShiftRight(h0, 26));
            h0 = TOps.And(h0, mask);
            h2 = TOps.Add(h2, TOps.ShiftRight(h1, 26));
            h1 = TOps.And(h1, mask);
            h3 = TOps.Add(h3, TOps.ShiftRight(h2, 26));
            h2 = TOps.And(h2, mask);
            h4 = TOps.Add(h4, TOps.ShiftRight(h3, 26));
            h3 = TOps.And(h3, mask);
            TVector over = TOps.ShiftRight(h4, 26);
            h4 = TOps.And(h4, mask);
            h0 = TOps.Add(h0, TOps.Add(over, TOps.ShiftLeft(over, 2)));
        }
        // h0 is below 2^26 + 5 here. g = h - (2^130 - 5) is the remainder where it is not negative.
        TVector g0 = TOps.Add(h0, TOps.Broadcast(5));
        TVector g1 = TOps.Add(h1, TOps.ShiftRight(g0, 26));
        TVector g2 = TOps.Add(h2, TOps.ShiftRight(g1, 26));
        TVector g3 = TOps.Add(h3, TOps.ShiftRight(g2, 26));
        TVector g4 = TOps.Subtract(TOps.Add(h4, TOps.ShiftRight(g3, 26)), TOps.Broadcast(LimbMask + 1));
        TVector negative = TOps.ShiftRight(g4, 63);
        TVector keep = TOps.Subtract(TOps.Broadcast(0), negative);
        TVector take = TOps.Subtract(negative, TOps.Broadcast(1));
        TVector takeLimb = TOps.And(take, mask);
        h0 = TOps.Or(TOps.And(h0, keep), TOps.And(g0, takeLimb));
        h1 = TOps.Or(TOps.And(h1, keep), TOps.And(g1, takeLimb));
        h2 = TOps.Or(TOps.And(h2, keep), TOps.And(g2, takeLimb));
        h3 = TOps.Or(TOps.And(h3, keep), TOps.And(g3, takeLimb));
        h4 = TOps.Or(TOps.And(h4, keep), TOps.And(g4, takeLimb));

        TVector low = TOps.Or(TOps.Or(h0, TOps.ShiftLeft(h1, 26)), TOps.ShiftLeft(h2, 52));
        TVector high = TOps.Or(TOps.Or(TOps.ShiftRight(h2, 12), TOps.ShiftLeft(h3, 14)), TOps.ShiftLeft(h4, 40));
        TOps.Gather(keys, 16, out TVector addLow, out TVector addHigh);
        TVector sumLow = TOps.Add(low, addLow);
        // The carry out of the lower half, by bits: both operands had their top bit, or one had and the sum has not.
        TVector either = TOps.Or(low, addLow);
        TVector carry = TOps.ShiftRight(TOps.Or(TOps.And(low, addLow), TOps.Subtract(either, TOps.And(either, sumLow))), 63);
        TOps.Scatter(tags, sumLow, TOps.Add(TOps.Add(high, addHigh), carry));
    }
}
