using System.Security.Cryptography;
using Mesh.Crypto.Vectors;

namespace Mesh.Crypto;

/// <summary>
/// BLAKE2s (RFC 7693) with WireGuard's uses of it (paper section 5.4): Hash, keyed Mac of 16 bytes, HMAC and the KDF chains.
/// In vectors where the processor has them, the self-test passes and nobody chose the library (see <see cref="TransportAead"/>,
/// whose option this follows); over libcrypto otherwise. After the first call on a thread nothing is allocated.
/// </summary>
public static class Blake2s
{
    public const int HashLength = 32;
    public const int MacLength = 16;
    private const int BlockLength = Blake2sKernel.BlockLength;

    private static readonly bool Vectors = Blake2sKernel.IsSupported && !AeadChoice.WantsLibrary && Blake2sSelfTest.Passes();

    /// <summary>Whether this process hashes with its own vectors, and not with libcrypto.</summary>
    public static bool UsesVectors => Vectors;

    /// <summary>BLAKE2s-256 of the two inputs, one behind the other. <paramref name="hash"/> may overlap an input.</summary>
    /// <param name="hash">32 bytes.</param>
    public static void Hash(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> hash) =>
        Hash(first, second, default, hash);

    internal static void Hash(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third, Span<byte> hash)
    {
        if (hash.Length != HashLength) throw new ArgumentException($"a hash has {HashLength} bytes", nameof(hash));
        if (Vectors) VectorHash(first, second, third, hash);
        else LibraryBlake2s.Hash(first, second, third, hash);
    }

    internal static void VectorHash(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third, Span<byte> hash)
    {
        var state = new Blake2sVectors();
        state.Start(HashLength, keyLength: 0);
        state.Add(first);
        state.Add(second);
        state.Add(third);
        state.Finish(hash);
        state.Clear();
    }

    /// <summary>Keyed BLAKE2s-128.</summary>
    /// <param name="key">1 to 32 bytes.</param>
    /// <param name="mac">16 bytes.</param>
    public static void Mac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input, Span<byte> mac)
    {
        if (mac.Length != MacLength) throw new ArgumentException($"a mac has {MacLength} bytes", nameof(mac));
        if (key.Length is 0 or > HashLength) throw new ArgumentException("a mac key has 1 to 32 bytes", nameof(key));
        if (Vectors) VectorMac(key, input, mac);
        else LibraryBlake2s.Mac(key, input, mac);
    }

    internal static void VectorMac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input, Span<byte> mac)
    {
        Span<byte> keyBlock = stackalloc byte[BlockLength];
        keyBlock.Clear();
        key.CopyTo(keyBlock);
        var state = new Blake2sVectors();
        state.Start(MacLength, key.Length);
        state.Add(keyBlock);
        state.Add(input);
        state.Finish(mac);
        state.Clear();
        CryptographicOperations.ZeroMemory(keyBlock);
    }

    /// <summary>HMAC (RFC 2104) with BLAKE2s-256 over the two inputs, one behind the other.</summary>
    /// <param name="key">At most 64 bytes.</param>
    /// <param name="hash">32 bytes; may overlap an input.</param>
    public static void Hmac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> hash)
    {
        if (key.Length > BlockLength) throw new ArgumentException($"at most {BlockLength} bytes", nameof(key));
        if (Vectors) VectorHmac(key, first, second, hash);
        else LibraryBlake2s.Hmac(key, first, second, hash);
    }

    internal static void VectorHmac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> hash)
    {
        var hmac = new Blake2sHmac();
        hmac.Start(key, noText: first.IsEmpty && second.IsEmpty);
        hmac.Compute(first, second, hash);
        hmac.Clear();
    }

    /// <summary>
    /// HKDF (RFC 5869) as WireGuard's Kdf1 to Kdf3: as many outputs as are not empty, 32 bytes each. An output may be the
    /// place of <paramref name="chainingKey"/>.
    /// </summary>
    public static void Kdf(ReadOnlySpan<byte> chainingKey, ReadOnlySpan<byte> input,
        Span<byte> first, Span<byte> second = default, Span<byte> third = default)
    {
        if (Vectors) VectorKdf(chainingKey, input, first, second, third);
        else LibraryBlake2s.Kdf(chainingKey, input, first, second, third);
    }

    internal static void VectorKdf(ReadOnlySpan<byte> chainingKey, ReadOnlySpan<byte> input, Span<byte> first, Span<byte> second, Span<byte> third)
    {
        Span<byte> block = stackalloc byte[HashLength];
        var hmac = new Blake2sHmac();
        hmac.Start(chainingKey, noText: input.IsEmpty);
        hmac.Compute(input, default, block);
        hmac.Start(block, noText: false);
        hmac.Compute(default, [1], block);
        block.CopyTo(first);
        if (!second.IsEmpty)
        {
            hmac.Compute(block, [2], block);
            block.CopyTo(second);
        }
        if (!third.IsEmpty)
        {
            hmac.Compute(block, [3], block);
            block.CopyTo(third);
        }
        hmac.Clear();
        CryptographicOperations.ZeroMemory(block);
    }
}
