using System.Security.Cryptography;
using Mesh.Crypto.Native;

namespace Mesh.Crypto;

/// <summary>
/// <see cref="Blake2s"/> over libcrypto. Contexts are one a thread; after the first call on a thread nothing is allocated.
/// </summary>
internal static unsafe class LibraryBlake2s
{
    private const int BlockLength = 64;

    [ThreadStatic]
    private static Contexts? PerThread;

    /// <summary>BLAKE2s-256 of three inputs, one behind the other.</summary>
    public static void Hash(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third, Span<byte> hash)
    {
        nint context = (PerThread ??= new Contexts()).Digest;
        int ok;
        fixed (byte* a = first, b = second, c = third, h = hash)
        {
            ok = LibCrypto.EVP_DigestInit_ex(context, Contexts.DigestAlgorithm, 0);
            ok &= LibCrypto.EVP_DigestUpdate(context, a, (nuint)first.Length);
            if (second.Length > 0) ok &= LibCrypto.EVP_DigestUpdate(context, b, (nuint)second.Length);
            if (third.Length > 0) ok &= LibCrypto.EVP_DigestUpdate(context, c, (nuint)third.Length);
            ok &= LibCrypto.EVP_DigestFinal_ex(context, h, null);
        }
        if (ok != 1) throw new CryptographicException("libcrypto refused to hash");
    }

    /// <summary>Keyed BLAKE2s-128.</summary>
    public static void Mac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input, Span<byte> mac)
    {
        nint context = (PerThread ??= new Contexts()).Keyed;
        nuint size = Blake2s.MacLength;
        nuint written;
        int ok;
        fixed (byte* k = key, i = input, m = mac, name = "size"u8)
        {
            const uint UnsignedInteger = 2; // OSSL_PARAM_UNSIGNED_INTEGER
            var parameters = stackalloc LibCrypto.Parameter[2];
            parameters[0] = new() { Key = name, Type = UnsignedInteger, Data = &size, Size = (nuint)sizeof(nuint) };
            parameters[1] = default;
            ok = LibCrypto.EVP_MAC_init(context, k, (nuint)key.Length, parameters);
            ok &= LibCrypto.EVP_MAC_update(context, i, (nuint)input.Length);
            ok &= LibCrypto.EVP_MAC_final(context, m, &written, Blake2s.MacLength);
        }
        if (ok != 1) throw new CryptographicException("libcrypto refused to compute a mac");
    }

    /// <inheritdoc cref="Blake2s.Hmac"/>
    public static void Hmac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> hash)
    {
        Span<byte> innerPad = stackalloc byte[BlockLength];
        Span<byte> outerPad = stackalloc byte[BlockLength];
        Span<byte> innerHash = stackalloc byte[Blake2s.HashLength];
        innerPad.Clear();
        key.CopyTo(innerPad);
        for (int i = 0; i < BlockLength; i++)
        {
            outerPad[i] = (byte)(innerPad[i] ^ 0x5c);
            innerPad[i] ^= 0x36;
        }
        Hash(innerPad, first, second, innerHash);
        Hash(outerPad, innerHash, default, hash);
        CryptographicOperations.ZeroMemory(innerPad);
        CryptographicOperations.ZeroMemory(outerPad);
        CryptographicOperations.ZeroMemory(innerHash);
    }

    /// <inheritdoc cref="Blake2s.Kdf"/>
    public static void Kdf(ReadOnlySpan<byte> chainingKey, ReadOnlySpan<byte> input,
        Span<byte> first, Span<byte> second, Span<byte> third)
    {
        Span<byte> pseudorandom = stackalloc byte[Blake2s.HashLength];
        Span<byte> block = stackalloc byte[Blake2s.HashLength];
        Hmac(chainingKey, input, default, pseudorandom);
        Hmac(pseudorandom, default, [1], block);
        block.CopyTo(first);
        if (!second.IsEmpty)
        {
            Hmac(pseudorandom, block, [2], block);
            block.CopyTo(second);
        }
        if (!third.IsEmpty)
        {
            Hmac(pseudorandom, block, [3], block);
            block.CopyTo(third);
        }
        CryptographicOperations.ZeroMemory(pseudorandom);
        CryptographicOperations.ZeroMemory(block);
    }

    private sealed class Contexts
    {
        public static readonly nint DigestAlgorithm = Fetch("BLAKE2S-256\0"u8, mac: false);
        private static readonly nint MacAlgorithm = Fetch("BLAKE2SMAC\0"u8, mac: true);

        public readonly nint Digest = LibCrypto.EVP_MD_CTX_new();
        public readonly nint Keyed = LibCrypto.EVP_MAC_CTX_new(MacAlgorithm);

        public Contexts()
        {
            if (Digest == 0 || Keyed == 0) throw new CryptoUnavailableException("the system's libcrypto has no memory for BLAKE2s");
        }

        private static nint Fetch(ReadOnlySpan<byte> name, bool mac)
        {
            fixed (byte* n = name)
            {
                nint algorithm = mac ? LibCrypto.EVP_MAC_fetch(0, n, null) : LibCrypto.EVP_MD_fetch(0, n, null);
                if (algorithm == 0) throw new CryptoUnavailableException("the system's libcrypto has no BLAKE2s");
                return algorithm;
            }
        }

        ~Contexts()
        {
            LibCrypto.EVP_MD_CTX_free(Digest);
            LibCrypto.EVP_MAC_CTX_free(Keyed);
        }
    }
}
