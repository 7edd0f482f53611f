using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Mesh.Crypto.Vectors;
using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

/// <summary>The tags' kernels alone, with one-time keys and texts that push every limb to its limit, against plain big numbers.</summary>
public sealed unsafe class Poly1305Tests
{
    [Fact]
    public void The_reference_computes_the_example_of_Rfc8439_section_2_5_2() =>
        AssertHex("a8061dc1305136c6c22b8baf0c0127a9", Reference(
            Hex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b"),
            Encoding.ASCII.GetBytes("Cryptographic Forum Research Group")));

    [Fact]
    public void Kernels_agree_with_big_numbers_also_where_every_limb_is_full()
    {
        Assert.SkipUnless(Avx2.IsSupported, "this processor has no AVX2");
        Check<Vector256<ulong>, MacVector256>();
        Check<Vector512<ulong>, MacVector512>();
    }

    private static void Check<TVector, TOps>()
        where TVector : unmanaged
        where TOps : IMacVector<TVector>
    {
        // Keys and texts of ones give the largest limbs; 2^130 - 5 and its neighbours come from r = 1 or 2 and texts near 2^130.
        byte[][] keys =
        [
            Filled(32, 0xff), Filled(32, 0), [1, .. new byte[15], .. Filled(16, 0xff)], [2, .. new byte[31]],
            [.. Filled(16, 0xff), .. new byte[16]], Counting(32, 0x55), [4, .. new byte[30], 0x80],
        ];
        var random = new Random(25_52);
        var work = (TVector*)NativeMemory.AlignedAlloc((nuint)(Poly1305Kernel<TVector, TOps>.WorkVectors * sizeof(TVector)), 64);
        var lanes = (MacLanes*)NativeMemory.AlignedAlloc((nuint)sizeof(MacLanes), 64);
        try
        {
            new Span<byte>(lanes, sizeof(MacLanes)).Clear();
            lanes->HighBit[0] = 1 << 24;
            for (int round = 0; round < 600; round++)
            {
                byte[][] texts = new byte[TOps.Lanes][], oneTimeKeys = new byte[TOps.Lanes][];
                for (int lane = 0; lane < TOps.Lanes; lane++)
                {
                    int length = round % 3 == 0 ? round / 3 : random.Next(300);
                    texts[lane] = random.Next(3) switch
                    {
                        0 => Filled(length, 0xff),
                        1 => [.. Enumerable.Range(0, length).Select(i => i % 16 == 0 ? (byte)(0xf8 + random.Next(8)) : (byte)0xff)],
                        _ => [.. Enumerable.Range(0, length).Select(_ => (byte)random.Next(256))],
                    };
                    oneTimeKeys[lane] = keys[random.Next(keys.Length)];
                }
                CheckOnce<TVector, TOps>(work, lanes, oneTimeKeys, texts, along: false);
                if (texts[0].Length > 0) CheckOnce<TVector, TOps>(work, lanes, oneTimeKeys, texts, along: true);
            }
        }
        finally
        {
            NativeMemory.AlignedFree(work);
            NativeMemory.AlignedFree(lanes);
        }
    }

    private static void CheckOnce<TVector, TOps>(TVector* work, MacLanes* lanes, byte[][] keys, byte[][] texts, bool along)
        where TVector : unmanaged
        where TOps : IMacVector<TVector>
    {
        byte[] tags = new byte[TOps.Lanes * 16];
        GCHandle[] pins = [.. keys.Concat(texts).Append(tags).Select(bytes => GCHandle.Alloc(bytes, GCHandleType.Pinned))];
        for (int lane = 0; lane < TOps.Lanes; lane++)
        {
            lanes->Keys[lane] = (byte*)pins[lane].AddrOfPinnedObject();
            lanes->Messages[lane] = (byte*)pins[TOps.Lanes + lane].AddrOfPinnedObject();
            lanes->Lengths[lane] = texts[lane].Length;
            lanes->Tags[lane] = (byte*)pins[2 * TOps.Lanes].AddrOfPinnedObject() + lane * 16;
        }
        if (along) Poly1305Kernel<TVector, TOps>.Along(work, lanes);
        else Poly1305Kernel<TVector, TOps>.Across(work, lanes);
        foreach (GCHandle pin in pins) pin.Free();
        for (int lane = 0; lane < (along ? 1 : TOps.Lanes); lane++)
        {
            byte[] text = texts[lane], padded = new byte[(text.Length + 15) / 16 * 16 + 16];
            text.CopyTo(padded, 0);
            BitConverter.TryWriteBytes(padded.AsSpan(padded.Length - 8), (long)text.Length);
            Assert.Equal(Convert.ToHexString(Reference(keys[lane], padded)), Convert.ToHexString(tags.AsSpan(lane * 16, 16)));
        }
    }

    /// <summary>RFC 8439 section 2.5.1, word by word.</summary>
    private static byte[] Reference(byte[] key, byte[] message)
    {
        BigInteger p = BigInteger.Pow(2, 130) - 5;
        BigInteger r = Number(key.AsSpan(0, 16)) & Number(Hex("ffffff0ffcffff0ffcffff0ffcffff0f")), s = Number(key.AsSpan(16, 16));
        BigInteger sum = 0;
        for (int i = 0; i < message.Length; i += 16)
            sum = (sum + Number([.. message.AsSpan(i, Math.Min(16, message.Length - i)), 1])) * r % p;
        byte[] tag = [.. (sum + s).ToByteArray(isUnsigned: true), .. new byte[16]];
        return tag[..16];
    }

    private static BigInteger Number(ReadOnlySpan<byte> littleEndian) => new(littleEndian, isUnsigned: true);

    private static byte[] Filled(int length, byte value)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        return bytes;
    }
}
