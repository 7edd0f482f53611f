using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using Mesh.Crypto.Vectors;

namespace Mesh.Crypto.Tests;

/// <summary>RFC 8439's whole AEAD, with any nonce and associated data, put together from the vector kernels in the plainest way.</summary>
internal static unsafe class KernelAead
{
    public static void Seal256(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> data, Span<byte> destination) =>
        Seal<Vector256<uint>, CipherVector256, Vector256<ulong>, MacVector256>(key, nonce, plaintext, data, destination);

    public static bool TryOpen256(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> sealedText, ReadOnlySpan<byte> data, Span<byte> plaintext) =>
        TryOpen<Vector256<uint>, CipherVector256, Vector256<ulong>, MacVector256>(key, nonce, sealedText, data, plaintext);

    public static void Seal512(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> data, Span<byte> destination) =>
        Seal<Vector512<uint>, CipherVector512, Vector512<ulong>, MacVector512>(key, nonce, plaintext, data, destination);

    public static bool TryOpen512(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> sealedText, ReadOnlySpan<byte> data, Span<byte> plaintext) =>
        TryOpen<Vector512<uint>, CipherVector512, Vector512<ulong>, MacVector512>(key, nonce, sealedText, data, plaintext);

    private static void Seal<TC, TCOps, TM, TMOps>(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plaintext,
        ReadOnlySpan<byte> data, Span<byte> destination)
        where TC : unmanaged where TCOps : ICipherVector<TC> where TM : unmanaged where TMOps : IMacVector<TM>
    {
        Check(key, nonce);
        byte[] keystream = Keystream<TC, TCOps>(key, nonce, plaintext.Length);
        for (int i = 0; i < plaintext.Length; i++) destination[i] = (byte)(plaintext[i] ^ keystream[64 + i]);
        Tag<TM, TMOps>(keystream.AsSpan(0, 32), data, destination[..^16]).CopyTo(destination[^16..]);
    }

    private static bool TryOpen<TC, TCOps, TM, TMOps>(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> sealedText,
        ReadOnlySpan<byte> data, Span<byte> plaintext)
        where TC : unmanaged where TCOps : ICipherVector<TC> where TM : unmanaged where TMOps : IMacVector<TM>
    {
        Check(key, nonce);
        plaintext.Clear();
        if (sealedText.Length < 16) return false;
        byte[] keystream = Keystream<TC, TCOps>(key, nonce, sealedText.Length - 16);
        if (!CryptographicOperations.FixedTimeEquals(Tag<TM, TMOps>(keystream.AsSpan(0, 32), data, sealedText[..^16]), sealedText[^16..])) return false;
        for (int i = 0; i < plaintext.Length; i++) plaintext[i] = (byte)(sealedText[i] ^ keystream[64 + i]);
        return true;
    }

    private static void Check(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce)
    {
        if (key.Length != 32 || nonce.Length != 12) throw new ArgumentException("wrong length");
    }

    /// <summary>Block 0, and as many as the text needs.</summary>
    private static byte[] Keystream<TVector, TOps>(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, int length)
        where TVector : unmanaged where TOps : ICipherVector<TVector>
    {
        int batch = TOps.Lanes * 64;
        byte[] keystream = new byte[(length + 64 + batch - 1) / batch * batch];
        var initial = (TVector*)NativeMemory.AlignedAlloc(1024, 64);
        var lanes = (CipherLanes*)NativeMemory.AlignedAlloc((nuint)sizeof(CipherLanes), 64);
        lanes->NonceStart = BitConverter.ToUInt32(nonce);
        fixed (byte* k = key, s = keystream)
        {
            ChaChaKernel<TVector, TOps>.Expand(k, initial);
            for (int i = 0; i < keystream.Length; i += batch)
            {
                ChaChaKernel<TVector, TOps>.SetConsecutive(lanes, (uint)(i / 64), BitConverter.ToUInt64(nonce[4..]), s + i, s + i);
                ChaChaKernel<TVector, TOps>.Run(initial, lanes);
            }
        }
        NativeMemory.AlignedFree(initial);
        NativeMemory.AlignedFree(lanes);
        return keystream;
    }

    /// <summary>By both kernels, which have to agree.</summary>
    private static byte[] Tag<TVector, TOps>(ReadOnlySpan<byte> oneTimeKey, ReadOnlySpan<byte> data, ReadOnlySpan<byte> ciphertext)
        where TVector : unmanaged where TOps : IMacVector<TVector>
    {
        byte[] message = [.. data, .. new byte[-data.Length & 15], .. ciphertext], tags = new byte[TOps.Lanes * 16];
        var work = (TVector*)NativeMemory.AlignedAlloc((nuint)(Poly1305Kernel<TVector, TOps>.WorkVectors * sizeof(TVector)), 64);
        var lanes = (MacLanes*)NativeMemory.AlignedAlloc((nuint)sizeof(MacLanes), 64);
        new Span<byte>(lanes, sizeof(MacLanes)).Clear();
        lanes->HighBit[0] = 1 << 24;
        fixed (byte* k = oneTimeKey, m = message, t = tags)
        {
            for (int lane = 0; lane < TOps.Lanes; lane++)
            {
                lanes->Keys[lane] = k;
                lanes->Messages[lane] = m;
                lanes->Lengths[lane] = message.Length;
                lanes->AssociatedLengths[lane] = data.Length;
                lanes->Tags[lane] = t + lane * 16;
            }
            Poly1305Kernel<TVector, TOps>.Across(work, lanes);
            for (int lane = 1; lane < TOps.Lanes; lane++) Assert.Equal(tags.AsSpan(0, 16), tags.AsSpan(lane * 16, 16));
            byte[] across = tags[..16];
            if (message.Length > 0) Poly1305Kernel<TVector, TOps>.Along(work, lanes);
            Assert.Equal(across, tags[..16]);
        }
        NativeMemory.AlignedFree(work);
        NativeMemory.AlignedFree(lanes);
        return tags[..16];
    }
}
