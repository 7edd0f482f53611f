using System.Buffers.Binary;
using System.Security.Cryptography;
using Mesh.Crypto.Native;

namespace Mesh.Crypto;

/// <summary>
/// ChaCha20-Poly1305 (RFC 8439) over libcrypto. Keys have 32 bytes, tags 16; the tag stands behind the ciphertext. Each
/// thread has a context of its own, made on its first call; after that a call allocates nothing. The context keeps a copy of
/// the last key used on its thread until the next call there, or the thread's end.
/// </summary>
public static unsafe class ChaCha20Poly1305
{
    public const int KeyLength = 32;
    public const int NonceLength = 12;
    public const int TagLength = 16;

    /// <summary>WireGuard's nonce: 32 bits of zero, then the 64-bit counter, little-endian (paper section 5.4.6).</summary>
    public static void Seal(ReadOnlySpan<byte> key, ulong counter, ReadOnlySpan<byte> plaintext,
        ReadOnlySpan<byte> associatedData, Span<byte> destination)
    {
        Span<byte> nonce = stackalloc byte[NonceLength];
        WriteNonce(nonce, counter);
        Seal(key, nonce, plaintext, associatedData, destination);
    }

    /// <inheritdoc cref="Seal(ReadOnlySpan{byte}, ulong, ReadOnlySpan{byte}, ReadOnlySpan{byte}, Span{byte})"/>
    public static bool TryOpen(ReadOnlySpan<byte> key, ulong counter, ReadOnlySpan<byte> ciphertextAndTag,
        ReadOnlySpan<byte> associatedData, Span<byte> plaintext)
    {
        Span<byte> nonce = stackalloc byte[NonceLength];
        WriteNonce(nonce, counter);
        return TryOpen(key, nonce, ciphertextAndTag, associatedData, plaintext);
    }

    /// <param name="destination">Plaintext length + 16; may begin where <paramref name="plaintext"/> begins.</param>
    public static void Seal(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plaintext,
        ReadOnlySpan<byte> associatedData, Span<byte> destination)
    {
        Check(key, nonce);
        if (destination.Length != plaintext.Length + TagLength)
            throw new ArgumentException("destination must be 16 bytes longer than plaintext", nameof(destination));
        nint context = CipherContexts.OfThisThread.Seal;
        int written;
        int ok;
        fixed (byte* k = key, n = nonce, p = plaintext, a = associatedData, d = destination)
        {
            ok = LibCrypto.EVP_EncryptInit_ex(context, 0, 0, k, n);
            if (associatedData.Length > 0) ok &= LibCrypto.EVP_EncryptUpdate(context, null, &written, a, associatedData.Length);
            if (plaintext.Length > 0) ok &= LibCrypto.EVP_EncryptUpdate(context, d, &written, p, plaintext.Length);
            ok &= LibCrypto.EVP_EncryptFinal_ex(context, d + plaintext.Length, &written);
            ok &= LibCrypto.EVP_CIPHER_CTX_ctrl(context, LibCrypto.ControlGetTag, TagLength, d + plaintext.Length);
        }
        if (ok != 1) throw new CryptographicException("libcrypto refused to seal");
    }

    /// <param name="plaintext">Ciphertext length - 16; may begin where the ciphertext begins. Zeroed when the tag fails.</param>
    /// <returns>False when the tag does not hold, or there is no room for one.</returns>
    public static bool TryOpen(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> ciphertextAndTag,
        ReadOnlySpan<byte> associatedData, Span<byte> plaintext)
    {
        Check(key, nonce);
        int length = ciphertextAndTag.Length - TagLength;
        if (length < 0) return false;
        if (plaintext.Length != length)
            throw new ArgumentException("plaintext must be 16 bytes shorter than ciphertext", nameof(plaintext));
        nint context = CipherContexts.OfThisThread.Open;
        byte* tag = stackalloc byte[TagLength];
        ciphertextAndTag[length..].CopyTo(new Span<byte>(tag, TagLength));
        int written;
        int ok;
        fixed (byte* k = key, n = nonce, c = ciphertextAndTag, a = associatedData, p = plaintext)
        {
            ok = LibCrypto.EVP_DecryptInit_ex(context, 0, 0, k, n);
            if (associatedData.Length > 0) ok &= LibCrypto.EVP_DecryptUpdate(context, null, &written, a, associatedData.Length);
            if (length > 0) ok &= LibCrypto.EVP_DecryptUpdate(context, p, &written, c, length);
            ok &= LibCrypto.EVP_CIPHER_CTX_ctrl(context, LibCrypto.ControlSetTag, TagLength, tag);
            if (ok != 1) throw new CryptographicException("libcrypto refused to open");
            byte none;
            if (LibCrypto.EVP_DecryptFinal_ex(context, &none, &written) == 1) return true;
        }
        CryptographicOperations.ZeroMemory(plaintext);
        return false;
    }

    private static void WriteNonce(Span<byte> nonce, ulong counter)
    {
        nonce[..4].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(nonce[4..], counter);
    }

    private static void Check(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce)
    {
        if (key.Length != KeyLength) throw new ArgumentException($"a key has {KeyLength} bytes", nameof(key));
        if (nonce.Length != NonceLength) throw new ArgumentException($"a nonce has {NonceLength} bytes", nameof(nonce));
    }
}
