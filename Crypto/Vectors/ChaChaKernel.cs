using System.Runtime.CompilerServices;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// ChaCha20 (RFC 8439 section 2.3) on as many blocks at once as a vector has 32-bit lanes: vector i holds word i of every
/// block. Nothing branches on, or is addressed by, anything secret.
/// </summary>
internal static unsafe class ChaChaKernel<TVector, TOps>
    where TVector : unmanaged
    where TOps : ICipherVector<TVector>
{
    /// <summary>Words 0 to 11 of the state in every lane: the constants and the key.</summary>
    /// <param name="initial">Room for 16 vectors, aligned to their size; the last four are the kernel's to work in.</param>
    public static void Expand(byte* key, TVector* initial)
    {
        initial[0] = TOps.Broadcast(0x61707865);
        initial[1] = TOps.Broadcast(0x3320646e);
        initial[2] = TOps.Broadcast(0x79622d32);
        initial[3] = TOps.Broadcast(0x6b206574);
        for (int i = 0; i < 8; i++) initial[4 + i] = TOps.Broadcast(((uint*)key)[i]);
    }

    /// <summary>Points all lanes to consecutive blocks of one packet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetConsecutive(CipherLanes* lanes, uint firstBlock, ulong counter, byte* source, byte* destination)
    {
        *(TVector*)lanes->Blocks = TOps.Add(TOps.Broadcast(firstBlock), TOps.Iota);
        *(TVector*)lanes->CountersLow = TOps.Broadcast((uint)counter);
        *(TVector*)lanes->CountersHigh = TOps.Broadcast((uint)(counter >> 32));
        byte** sources = lanes->Sources, destinations = lanes->Destinations;
        for (int i = 0; i < TOps.Lanes; i++)
        {
            sources[i] = source + i * 64;
            destinations[i] = destination + i * 64;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(TVector* initial, CipherLanes* lanes)
    {
        TVector x0 = initial[0], x1 = initial[1], x2 = initial[2], x3 = initial[3];
        TVector x4 = initial[4], x5 = initial[5], x6 = initial[6], x7 = initial[7];
        TVector x12 = *(TVector*)lanes->Blocks, x13 = TOps.Broadcast(lanes->NonceStart);
        TVector x14 = *(TVector*)lanes->CountersLow, x15 = *(TVector*)lanes->CountersHigh;
        // Words 8 to 11 are in registers two at a time, or sixteen registers would not do for the state and what is in work.
        TVector* c = initial + 12;
        TVector left = initial[8], right = initial[9];
        c[2] = initial[10];
        c[3] = initial[11];
        for (int i = 0; i < 10; i++)
        {
            QuarterRounds(0, ref x0, ref x4, ref left, ref x12, ref x1, ref x5, ref right, ref x13);
            c[0] = left;
            c[1] = right;
            left = c[2];
            right = c[3];
            QuarterRounds(1, ref x2, ref x6, ref left, ref x14, ref x3, ref x7, ref right, ref x15);
            QuarterRounds(2, ref x0, ref x5, ref left, ref x15, ref x1, ref x6, ref right, ref x12);
            c[2] = left;
            c[3] = right;
            left = c[0];
            right = c[1];
            QuarterRounds(3, ref x2, ref x7, ref left, ref x13, ref x3, ref x4, ref right, ref x14);
        }
        TOps.MixInto(lanes->Sources, lanes->Destinations,
            TOps.Add(x0, initial[0]), TOps.Add(x1, initial[1]), TOps.Add(x2, initial[2]), TOps.Add(x3, initial[3]),
            TOps.Add(x4, initial[4]), TOps.Add(x5, initial[5]), TOps.Add(x6, initial[6]), TOps.Add(x7, initial[7]),
            TOps.Add(left, initial[8]), TOps.Add(right, initial[9]), TOps.Add(c[2], initial[10]), TOps.Add(c[3], initial[11]),
            TOps.Add(x12, *(TVector*)lanes->Blocks), TOps.Add(x13, TOps.Broadcast(lanes->NonceStart)),
            TOps.Add(x14, *(TVector*)lanes->CountersLow), TOps.Add(x15, *(TVector*)lanes->CountersHigh));
    }

    /// <summary>
    /// Two quarter rounds in step, as each alone is one chain of instructions that wait for each other.
    /// </summary>
    /// <param name="variant">0 to 3, another for each call in a loop (see <see cref="ICipherVector{TVector}.RotateLeft16"/>).</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void QuarterRounds(int variant,
        ref TVector a, ref TVector b, ref TVector c, ref TVector d, ref TVector e, ref TVector f, ref TVector g, ref TVector h)
    {
        a = TOps.Add(a, b);
        e = TOps.Add(e, f);
        d = TOps.RotateLeft16(TOps.Xor(d, a), variant);
        h = TOps.RotateLeft16(TOps.Xor(h, e), variant);
        c = TOps.Add(c, d);
        g = TOps.Add(g, h);
        b = TOps.RotateLeft12(TOps.Xor(b, c));
        f = TOps.RotateLeft12(TOps.Xor(f, g));
        a = TOps.Add(a, b);
        e = TOps.Add(e, f);
        d = TOps.RotateLeft8(TOps.Xor(d, a), variant);
        h = TOps.RotateLeft8(TOps.Xor(h, e), variant);
        c = TOps.Add(c, d);
        g = TOps.Add(g, h);
        b = TOps.RotateLeft7(TOps.Xor(b, c));
        f = TOps.RotateLeft7(TOps.Xor(f, g));
    }
}
