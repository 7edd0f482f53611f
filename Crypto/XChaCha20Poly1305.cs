using Mesh.Crypto.Native;

namespace Mesh.Crypto;

/// <summary>
/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): WireGuard's cookie replies, and the coordinator's sealed event payloads.
/// Keys have 32 bytes, nonces 24, tags 16; the tag stands behind the ciphertext.
/// </summary>
public static unsafe class XChaCha20Poly1305
{
    public const int KeyLength = 32;
    public const int NonceLength = 24;
    public const int TagLength = 16;

    /// <param name="destination">Plaintext length + 16; may begin where <paramref name="plaintext"/> begins.</param>
    public static void Seal(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plaintext,
        ReadOnlySpan<byte> associatedData, Span<byte> destination)
    {
        Check(key, nonce);
        if (destination.Length != plaintext.Length + TagLength)
            throw new ArgumentException("destination must be 16 bytes longer than plaintext", nameof(destination));
        fixed (byte* d = destination, p = plaintext, a = associatedData, n = nonce, k = key)
            LibSodium.XChaChaSeal(d, p, plaintext.Length, a, associatedData.Length, n, k);
    }

    /// <param name="plaintext">Ciphertext length - 16; may begin where the ciphertext begins. Zeroed when the tag fails.</param>
    /// <returns>False when the tag does not hold, or there is no room for one.</returns>
    public static bool TryOpen(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> ciphertextAndTag,
        ReadOnlySpan<byte> associatedData, Span<byte> plaintext)
    {
        Check(key, nonce);
        if (ciphertextAndTag.Length < TagLength) return false;
        if (plaintext.Length != ciphertextAndTag.Length - TagLength)
            throw new ArgumentException("plaintext must be 16 bytes shorter than ciphertext", nameof(plaintext));
        fixed (byte* p = plaintext, c = ciphertextAndTag, a = associatedData, n = nonce, k = key)
            return LibSodium.XChaChaOpen(p, c, ciphertextAndTag.Length, a, associatedData.Length, n, k);
    }

    private static void Check(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce)
    {
        if (key.Length != KeyLength) throw new ArgumentException($"a key has {KeyLength} bytes", nameof(key));
        if (nonce.Length != NonceLength) throw new ArgumentException($"a nonce has {NonceLength} bytes", nameof(nonce));
    }
}
