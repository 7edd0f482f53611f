using System.Runtime.CompilerServices;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// Poly1305 tags of RFC 8439's AEAD, in vectors: <see cref="Across"/> gives each lane a message of its
/// own, <see cref="Along"/> spreads one message over the lanes. Lengths decide what runs; no key or content does.
/// </summary>
internal static unsafe class Poly1305Kernel<TVector, TOps>
    where TVector : unmanaged
    where TOps : IMacVector<TVector>
{
    private const int BlockLength = 16;

    /// <summary>Where things stand in the work memory, in vectors.</summary>
    private const int Sum = 0;
    private const int Step = 5;
    private const int TwoSteps = Step + Poly1305Limbs<TVector, TOps>.FactorCount;
    private const int Power2 = TwoSteps + Poly1305Limbs<TVector, TOps>.FactorCount;

    /// <summary>Vectors of memory that a caller provides, aligned to their size. It holds secrets afterwards.</summary>
    public static int WorkVectors => Power2 + (TOps.Lanes - 1) * Poly1305Limbs<TVector, TOps>.FactorCount;

    /// <summary>The tags of as many messages as there are lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Across(TVector* work, MacLanes* lanes)
    {
        LoadKey(work + Step, lanes->Keys.First);
        Poly1305Limbs<TVector, TOps>.Multiply(work + TwoSteps, work + Step, work + Step);
        ClearSum(work);

        // All messages end together: shorter ones begin later, with blocks of nothing until then, which leave a sum of zero.
        int longest = 0, shortest = int.MaxValue;
        bool anyEmpty = false;
        for (int lane = 0; lane < TOps.Lanes; lane++)
        {
            int blocks = BodyBlocks(lanes->Lengths[lane]);
            longest = Math.Max(longest, blocks);
            shortest = Math.Min(shortest, blocks);
            anyEmpty |= lanes->Lengths[lane] == 0;
            WriteTail(lanes, lane, blocks);
        }
        byte** positions = lanes->Positions.First;
        byte** highBits = lanes->HighBitPositions.First;
        for (int left = longest; left > shortest; left--)
        {
            for (int lane = 0; lane < TOps.Lanes; lane++)
            {
                int started = BodyBlocks(lanes->Lengths[lane]) - left;
                SetPosition(lanes, lane, started < 0 ? null : lanes->Messages[lane] + started * BlockLength);
            }
            TOps.Gather(highBits, 0, out TVector highBit, out _);
            OneStep(work, work + Step, positions, highBit);
        }
        for (int lane = 0; lane < TOps.Lanes; lane++)
            positions[lane] = lanes->Messages[lane] + (BodyBlocks(lanes->Lengths[lane]) - shortest) * BlockLength;
        Run(work, positions, 0, BlockLength, shortest);

        for (int lane = 0; lane < TOps.Lanes; lane++) SetPosition(lanes, lane, lanes->Tail(lane));
        if (anyEmpty)
        {
            for (int lane = 0; lane < TOps.Lanes; lane++)
                if (lanes->Lengths[lane] == 0) SetPosition(lanes, lane, null);
            TOps.Gather(highBits, 0, out TVector highBit, out _);
            OneStep(work, work + Step, positions, highBit);
            for (int lane = 0; lane < TOps.Lanes; lane++) positions[lane] = lanes->Tail(lane) + BlockLength;
            Run(work, positions, 0, BlockLength, 1);
        }
        else
        {
            Run(work, positions, 0, BlockLength, 2);
        }
        Poly1305Limbs<TVector, TOps>.Tag(work + Sum, lanes->Keys.First, lanes->Tags.First);
    }

    /// <summary>
    /// The tag of the first lane's message, which must not be empty. Lane i takes every Lanes-th block from the i-th on; a step
    /// multiplies by r^Lanes, and the last one by r^(Lanes - i), so that the lanes' total is the sum.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Along(TVector* work, MacLanes* lanes)
    {
        byte* message = lanes->Messages[0];
        int length = lanes->Lengths[0];
        for (int lane = 1; lane < TOps.Lanes; lane++)
        {
            lanes->Keys[lane] = lanes->Keys[0];
            lanes->Tags[lane] = (byte*)lanes->Powers;
        }
        WritePowers(work, lanes);
        ClearSum(work);

        // Blocks of nothing stand before the message, so that its last step is a full one.
        int dataBlocks = (length + BlockLength - 1) / BlockLength;
        int steps = dataBlocks / TOps.Lanes + 1;
        int before = steps * TOps.Lanes - (dataBlocks + 1);
        byte** positions = lanes->Positions.First;
        byte** highBits = lanes->HighBitPositions.First;
        WriteTail(lanes, 0, dataBlocks - 1);
        int step = 0;
        if (steps > 1)
        {
            for (int lane = 0; lane < TOps.Lanes; lane++)
                SetPosition(lanes, lane, lane < before ? null : message + (lane - before) * BlockLength);
            TOps.Gather(highBits, 0, out TVector highBit, out _);
            OneStep(work, work + Step, positions, highBit);
            for (int lane = 0; lane < TOps.Lanes; lane++)
                positions[lane] = message + (TOps.Lanes - before + lane) * BlockLength;
            Run(work, positions, 0, TOps.Lanes * BlockLength, steps - 2);
            step = steps - 1;
        }
        for (int lane = 0; lane < TOps.Lanes; lane++)
        {
            int block = step * TOps.Lanes + lane - before;
            int fromTail = block - (dataBlocks - 1);
            SetPosition(lanes, lane, block < 0 ? null : fromTail < 0 ? message + block * BlockLength : lanes->Tail(0) + fromTail * BlockLength);
        }
        TOps.Gather(highBits, 0, out TVector lastHighBit, out _);
        LoadPowers(work + TwoSteps, lanes);
        OneStep(work, work + TwoSteps, positions, lastHighBit);
        AddLanes(work);
        Poly1305Limbs<TVector, TOps>.Tag(work + Sum, lanes->Keys.First, lanes->Tags.First);
    }

    /// <summary>Full blocks that are read where they stand: all but the last one, full or not, which goes to the tail.</summary>
    private static int BodyBlocks(int length) => Math.Max(0, (length - 1) / BlockLength);

    private static void WriteTail(MacLanes* lanes, int lane, int bodyBlocks)
    {
        ulong* tail = (ulong*)lanes->Tail(lane);
        int length = lanes->Lengths[lane];
        int last = length - bodyBlocks * BlockLength;
        tail[0] = 0;
        tail[1] = 0;
        Unsafe.CopyBlockUnaligned(tail, lanes->Messages[lane] + bodyBlocks * BlockLength, (uint)last);
        int associated = lanes->AssociatedLengths[lane];
        tail[2] = (ulong)associated;
        tail[3] = (ulong)(length - (associated + BlockLength - 1) / BlockLength * BlockLength);
    }

    /// <summary>Null for a block of nothing: zeroes, and without the bit that every block of a message carries above its 128.</summary>
    private static void SetPosition(MacLanes* lanes, int lane, byte* block)
    {
        lanes->Positions[lane] = block == null ? (byte*)lanes->Nothing : block;
        lanes->HighBitPositions[lane] = block == null ? (byte*)lanes->Nothing : (byte*)lanes->HighBit;
    }

    private static void LoadKey(TVector* factor, byte** keys)
    {
        TOps.Gather(keys, 0, out TVector low, out TVector high);
        low = TOps.And(low, TOps.Broadcast(0x0ffffffc0fffffff));
        high = TOps.And(high, TOps.Broadcast(0x0ffffffc0ffffffc));
        Poly1305Limbs<TVector, TOps>.Split(low, high, out TVector r0, out TVector r1, out TVector r2, out TVector r3, out TVector r4);
        Poly1305Limbs<TVector, TOps>.StoreFactor(factor, r0, r1, r2, r3, r4);
    }

    private static void ClearSum(TVector* work)
    {
        for (int i = 0; i < Poly1305Limbs<TVector, TOps>.Count; i++) work[Sum + i] = TOps.Broadcast(0);
    }

    /// <summary>
    /// Leaves r^Lanes as the step's factor, and its square as that of two steps; and in <see cref="MacLanes.Powers"/> for the
    /// last step r^(Lanes - i) for lane i.
    /// </summary>
    private static void WritePowers(TVector* work, MacLanes* lanes)
    {
        // Powers 2 to Lanes stand from Power2 on, and r for the moment where the step's factor will be.
        LoadKey(work + Step, lanes->Keys.First);
        for (int power = 2; power <= TOps.Lanes; power++)
            Poly1305Limbs<TVector, TOps>.Multiply(Power(work, power), Power(work, power / 2), Power(work, power - power / 2));
        for (int lane = 0; lane < TOps.Lanes; lane++)
        {
            TVector* power = Power(work, TOps.Lanes - lane);
            for (int limb = 0; limb < Poly1305Limbs<TVector, TOps>.Count; limb++)
                lanes->Powers[lane * 6 + limb] = *(ulong*)(power + limb);
            lanes->Powers[lane * 6 + 5] = 0;
        }
        TVector* last = Power(work, TOps.Lanes);
        Poly1305Limbs<TVector, TOps>.Multiply(work + TwoSteps, last, last);
        for (int i = 0; i < Poly1305Limbs<TVector, TOps>.FactorCount; i++) work[Step + i] = last[i];
    }

    private static TVector* Power(TVector* work, int power) =>
        work + (power == 1 ? Step : Power2 + (power - 2) * Poly1305Limbs<TVector, TOps>.FactorCount);

    private static void LoadPowers(TVector* factor, MacLanes* lanes)
    {
        MacLanes.Pointers pointers = default;
        for (int lane = 0; lane < TOps.Lanes; lane++) pointers[lane] = (byte*)(lanes->Powers + lane * 6);
        TOps.Gather(pointers.First, 0, out TVector a0, out TVector a1);
        TOps.Gather(pointers.First, 16, out TVector a2, out TVector a3);
        TOps.Gather(pointers.First, 32, out TVector a4, out _);
        Poly1305Limbs<TVector, TOps>.StoreFactor(factor, a0, a1, a2, a3, a4);
    }

    private static void AddLanes(TVector* work)
    {
        for (int limb = 0; limb < Poly1305Limbs<TVector, TOps>.Count; limb++)
        {
            ulong total = 0;
            for (int lane = 0; lane < TOps.Lanes; lane++) total += ((ulong*)(work + Sum + limb))[lane];
            work[Sum + limb] = TOps.Broadcast(total);
        }
    }

    /// <summary>sum = (sum + block) * factor in each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneStep(TVector* work, TVector* factor, byte** positions, TVector highBit)
    {
        TOps.Gather(positions, 0, out TVector low, out TVector high);
        Poly1305Limbs<TVector, TOps>.Split(low, high, out TVector a0, out TVector a1, out TVector a2, out TVector a3, out TVector a4);
        a0 = TOps.Add(a0, work[Sum]);
        a1 = TOps.Add(a1, work[Sum + 1]);
        a2 = TOps.Add(a2, work[Sum + 2]);
        a3 = TOps.Add(a3, work[Sum + 3]);
        a4 = TOps.Add(TOps.Or(a4, highBit), work[Sum + 4]);
        TVector d0 = TOps.Broadcast(0), d1 = d0, d2 = d0, d3 = d0, d4 = d0;
        Poly1305Limbs<TVector, TOps>.AddProduct(a0, a1, a2, a3, a4, factor, ref d0, ref d1, ref d2, ref d3, ref d4);
        Poly1305Limbs<TVector, TOps>.Carry(ref d0, ref d1, ref d2, ref d3, ref d4);
        work[Sum] = d0;
        work[Sum + 1] = d1;
        work[Sum + 2] = d2;
        work[Sum + 3] = d3;
        work[Sum + 4] = d4;
    }

    /// <summary>
    /// Takes <paramref name="count"/> blocks in each lane, <paramref name="stride"/> bytes from each other, two between carries:
    /// sum = (sum + block) * factor^2 + next block * factor.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run(TVector* work, byte** positions, nint offset, nint stride, int count)
    {
        if ((count & 1) != 0)
        {
            OneStep(work, work + Step, positions, TOps.Broadcast(1 << 24));
            offset += stride;
        }
        TVector h0 = work[Sum], h1 = work[Sum + 1], h2 = work[Sum + 2], h3 = work[Sum + 3], h4 = work[Sum + 4];
        for (count >>= 1; count > 0; count--)
        {
            TOps.Gather(positions, offset, out TVector low, out TVector high);
            Poly1305Limbs<TVector, TOps>.Split(low, high, out TVector a0, out TVector a1, out TVector a2, out TVector a3, out TVector a4);
            h0 = TOps.Add(a0, h0);
            h1 = TOps.Add(a1, h1);
            h2 = TOps.Add(a2, h2);
            h3 = TOps.Add(a3, h3);
            h4 = TOps.Add(TOps.Or(a4, TOps.Broadcast(1 << 24)), h4);
            TVector d0 = TOps.Broadcast(0), d1 = d0, d2 = d0, d3 = d0, d4 = d0;
            Poly1305Limbs<TVector, TOps>.AddProduct(h0, h1, h2, h3, h4, work + TwoSteps, ref d0, ref d1, ref d2, ref d3, ref d4);
            offset += stride;
            TOps.Gather(positions, offset, out low, out high);
            Poly1305Limbs<TVector, TOps>.Split(low, high, out a0, out a1, out a2, out a3, out a4);
            a4 = TOps.Or(a4, TOps.Broadcast(1 << 24));
            Poly1305Limbs<TVector, TOps>.AddProduct(a0, a1, a2, a3, a4, work + Step, ref d0, ref d1, ref d2, ref d3, ref d4);
            offset += stride;
            Poly1305Limbs<TVector, TOps>.Carry(ref d0, ref d1, ref d2, ref d3, ref d4);
            (h0, h1, h2, h3, h4) = (d0, d1, d2, d3, d4);
        }
        work[Sum] = h0;
        work[Sum + 1] = h1;
        work[Sum + 2] = h2;
        work[Sum + 3] = h3;
        work[Sum + 4] = h4;
    }
}
