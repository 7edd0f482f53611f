using System.Runtime.InteropServices;

namespace Mesh.Crypto.Native;

/// <summary>libsodium 1.0.18 (Debian libsodium23): X25519 and XChaCha20-Poly1305. The only place that names it.</summary>
internal static unsafe partial class LibSodium
{
    public const string Library = "libsodium.so.23";

    static LibSodium()
    {
        if (sodium_init() < 0) throw new CryptoUnavailableException("libsodium could not start: no source of randomness");
    }

    /// <returns>-1 when the result is all zero (a point of low order, RFC 7748 section 6.1).</returns>
    public static int ScalarMult(byte* shared, byte* scalar, byte* point) => crypto_scalarmult(shared, scalar, point);

    public static void ScalarMultBase(byte* point, byte* scalar) => _ = crypto_scalarmult_base(point, scalar);

    public static void XChaChaSeal(byte* destination, byte* plaintext, int length, byte* ad, int adLength, byte* nonce, byte* key) =>
        _ = crypto_aead_xchacha20poly1305_ietf_encrypt(
            destination, null, plaintext, (ulong)length, ad, (ulong)adLength, null, nonce, key);

    public static bool XChaChaOpen(byte* plaintext, byte* sealedText, int length, byte* ad, int adLength, byte* nonce, byte* key) =>
        crypto_aead_xchacha20poly1305_ietf_decrypt(
            plaintext, null, null, sealedText, (ulong)length, ad, (ulong)adLength, nonce, key) == 0;

    [LibraryImport(Library)]
    private static partial int sodium_init();

    [LibraryImport(Library)]
    private static partial int crypto_scalarmult(byte* q, byte* n, byte* p);

    [LibraryImport(Library)]
    private static partial int crypto_scalarmult_base(byte* q, byte* n);

    [LibraryImport(Library)]
    private static partial int crypto_aead_xchacha20poly1305_ietf_encrypt(
        byte* c, ulong* clen, byte* m, ulong mlen, byte* ad, ulong adlen, byte* nsec, byte* npub, byte* k);

    [LibraryImport(Library)]
    private static partial int crypto_aead_xchacha20poly1305_ietf_decrypt(
        byte* m, ulong* mlen, byte* nsec, byte* c, ulong clen, byte* ad, ulong adlen, byte* npub, byte* k);
}
