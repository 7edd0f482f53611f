namespace Mesh.Crypto;

/// <summary>
/// Key that cookies travel under, so that only who knows the responder's public key can read them:
/// Hash("cookie--" ‖ public key) (paper section 5.4.7).
/// </summary>
public sealed class CookieKey
{
    private readonly byte[] _key = new byte[Blake2s.HashLength];

    public CookieKey(in X25519PublicKey responder) => Blake2s.Hash("cookie--"u8, responder.AsSpan(), _key);

    /// <param name="nonce">24 random bytes.</param>
    /// <param name="cookie">16 bytes.</param>
    /// <param name="mac1">Of the message that is answered, 16 bytes.</param>
    /// <param name="sealedCookie">32 bytes.</param>
    public void Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> cookie, ReadOnlySpan<byte> mac1, Span<byte> sealedCookie) =>
        XChaCha20Poly1305.Seal(_key, nonce, cookie, mac1, sealedCookie);

    /// <returns>False, with nothing written, when it is not the answer to the message with this mac1.</returns>
    public bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> sealedCookie, ReadOnlySpan<byte> mac1, Span<byte> cookie) =>
        XChaCha20Poly1305.TryOpen(_key, nonce, sealedCookie, mac1, cookie);
}
