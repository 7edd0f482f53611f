namespace Mesh.Protocol.WireGuard;

/// <summary>
/// Handshake initiation, initiator to responder (paper section 5.4.2), 148 bytes, numbers little-endian:
/// <code>
///   0   4  type 1, reserved 0
///   4   4  sender index
///   8 108  Noise, first message: ephemeral (32), sealed static (48), sealed TAI64N (28)
/// 116  16  mac1 over 0..116
/// 132  16  mac2 over 0..132, zero without a cookie
/// </code>
/// </summary>
public static class InitiationLayout
{
    public const int Length = 148;
    public const int Sender = 4;
    public const int Noise = 8;
    public const int NoiseLength = 108;
    public const int Mac1 = 116;
    public const int Mac2 = 132;
}
