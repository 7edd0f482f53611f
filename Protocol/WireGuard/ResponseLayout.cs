namespace Mesh.Protocol.WireGuard;

/// <summary>
/// Handshake response, responder to initiator (paper section 5.4.3), 92 bytes, numbers little-endian:
/// <code>
///   0   4  type 2, reserved 0
///   4   4  sender index
///   8   4  receiver index: the initiation's sender
///  12  48  Noise, second message: ephemeral (32), sealed nothing (16)
///  60  16  mac1 over 0..60
///  76  16  mac2 over 0..76, zero without a cookie
/// </code>
/// </summary>
public static class ResponseLayout
{
    public const int Length = 92;
    public const int Sender = 4;
    public const int Receiver = 8;
    public const int Noise = 12;
    public const int NoiseLength = 48;
    public const int Mac1 = 60;
    public const int Mac2 = 76;
}
