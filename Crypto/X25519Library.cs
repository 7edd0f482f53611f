using System.Diagnostics;
using Mesh.Crypto.Native;

namespace Mesh.Crypto;

/// <summary>
/// Which library this process computes X25519 with. Which of the two is quicker depends on the processor, by a fifth and either way;
/// so both are tried once, which takes a third of a millisecond, and must agree.
/// </summary>
internal static class X25519Library
{
    private const int Rounds = 5;

    public static readonly bool IsLibCrypto = LibCryptoIsQuicker();

    private static bool LibCryptoIsQuicker()
    {
        Span<byte> scalar = stackalloc byte[SecretKey.Length], ours = stackalloc byte[SecretKey.Length], theirs = stackalloc byte[SecretKey.Length];
        for (int i = 0; i < scalar.Length; i++) scalar[i] = (byte)(i * 7 + 1);
        using var ourKey = new X25519PrivateKey(scalar, libCrypto: true);
        using var theirKey = new X25519PrivateKey(scalar, libCrypto: false);
        long libCrypto = long.MaxValue, libSodium = long.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            bool agreed = ourKey.TryAgree(theirKey.PublicKey, ours);
            long middle = Stopwatch.GetTimestamp();
            agreed &= theirKey.TryAgree(ourKey.PublicKey, theirs);
            libSodium = Math.Min(libSodium, Stopwatch.GetTimestamp() - middle);
            libCrypto = Math.Min(libCrypto, middle - start);
            if (!agreed || !ours.SequenceEqual(theirs))
                throw new CryptoUnavailableException($"{LibCrypto.Library} and {LibSodium.Library} disagree about X25519: one of them is broken");
        }
        return libCrypto <= libSodium;
    }
}
