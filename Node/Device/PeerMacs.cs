using Mesh.Crypto;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>
/// The two macs at the end of our handshake messages to one key (paper section 5.4.4): mac1 under the receiver's public key,
/// mac2 under the cookie it gave us last, or zeroes. Used under the device's control lock.
/// </summary>
internal sealed class PeerMacs(in X25519PublicKey receiver)
{
    private readonly Mac1Key _mac1 = new(receiver);
    private readonly CookieKey _cookieKey = new(receiver);
    private readonly byte[] _lastMac1 = new byte[Blake2s.MacLength];
    private readonly byte[] _cookie = new byte[Blake2s.MacLength];
    private bool _sent;
    private long _cookieGoodUntil;

    /// <param name="message">A whole handshake message; its last 32 bytes are written.</param>
    public void Write(Span<byte> message, long now)
    {
        int mac1 = message.Length - 2 * Blake2s.MacLength, mac2 = message.Length - Blake2s.MacLength;
        _mac1.Compute(message[..mac1], message.Slice(mac1, Blake2s.MacLength));
        message.Slice(mac1, Blake2s.MacLength).CopyTo(_lastMac1);
        _sent = true;
        if (now < _cookieGoodUntil) Blake2s.Mac(_cookie, message[..mac2], message[mac2..]);
        else message[mac2..].Clear();
    }

    /// <returns>False when the reply does not belong to the message sent last.</returns>
    public bool TryTakeCookie(ReadOnlySpan<byte> reply, long now)
    {
        if (!_sent || !_cookieKey.TryOpen(reply.Slice(CookieReplyLayout.Nonce, XChaCha20Poly1305.NonceLength),
            reply.Slice(CookieReplyLayout.Cookie, CookieReplyLayout.SealedCookieLength), _lastMac1, _cookie))
            return false;
        _cookieGoodUntil = now + (Timing.CookieLifetime - Timing.CookieLatency).Ticks;
        return true;
    }
}
