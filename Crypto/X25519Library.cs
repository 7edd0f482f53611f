using System.Diagnostics;
using Mesh.Crypto.Native;

namespace Mesh.Crypto;

/// <summary>
/// Which library this process computes X25519 with. Which of the two is quicker depends on the processor, by a fifth and either way;
/// so both are tried once, which takes a third of a millisecond, and must agree.
/// </summary>
internal static unsafe class X25519Library
{
    private const int Rounds = 5;

    public static readonly bool IsLibCrypto = LibCryptoIsQuicker();

    private static bool LibCryptoIsQuicker()
    {
        byte* scalar = stackalloc byte[SecretKey.Length], ours = stackalloc byte[SecretKey.Length], theirs = stackalloc byte[SecretKey.Length];
        for (int i = 0; i < SecretKey.Length; i++) scalar[i] = (byte)(i * 7 + 1);
        using var key = new LibCryptoX25519(new ReadOnlySpan<byte>(scalar, SecretKey.Length));
        X25519PublicKey point = key.PublicKey;
        long libCrypto = long.MaxValue, libSodium = long.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            bool agreed = key.TryAgree(point, new Span<byte>(ours, SecretKey.Length));
            long middle = Stopwatch.GetTimestamp();
            fixed (byte* p = point.AsSpan()) agreed &= LibSodium.ScalarMult(theirs, scalar, p) == 0;
            libSodium = Math.Min(libSodium, Stopwatch.GetTimestamp() - middle);
            libCrypto = Math.Min(libCrypto, middle - start);
            if (!agreed || !new ReadOnlySpan<byte>(ours, SecretKey.Length).SequenceEqual(new ReadOnlySpan<byte>(theirs, SecretKey.Length)))
                throw new CryptoUnavailableException($"{LibCrypto.Library} and {LibSodium.Library} disagree about X25519: one of them is broken");
        }
        return libCrypto <= libSodium;
    }
}
