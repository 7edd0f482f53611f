namespace Mesh.Protocol.WireGuard;

/// <summary>
/// Cookie reply, from a responder under load (paper section 5.4.7), 64 bytes, numbers little-endian:
/// <code>
///   0   4  type 3, reserved 0
///   4   4  receiver index: the sender of the message that is answered
///   8  24  nonce
///  32  32  XChaCha20-Poly1305 of the cookie (16), bound to the message's mac1
/// </code>
/// </summary>
public static class CookieReplyLayout
{
    public const int Length = 64;
    public const int Receiver = 4;
    public const int Nonce = 8;
    public const int Cookie = 32;
    public const int SealedCookieLength = 32;
}
