namespace Mesh.Protocol.WireGuard;

/// <summary>
/// First byte of every WireGuard message (paper section 5.4); three zero bytes follow it, so that the four read as one
/// little-endian number.
/// </summary>
public enum MessageType : uint
{
    Initiation = 1,
    Response = 2,
    CookieReply = 3,
    Transport = 4,
}
