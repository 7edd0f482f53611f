namespace Mesh.Protocol.WireGuard;

/// <summary>
/// Transport data (paper section 5.4.6), 32 bytes and more, numbers little-endian:
/// <code>
///   0   4  type 4, reserved 0
///   4   4  receiver index
///   8   8  counter
///  16   n  ChaCha20-Poly1305 of an IP packet padded to a multiple of 16; nothing is a keepalive
///  16+n 16 tag
/// </code>
/// </summary>
public static class TransportLayout
{
    public const int Receiver = 4;
    public const int Counter = 8;
    public const int HeaderLength = 16;
    public const int TagLength = 16;
    public const int Overhead = HeaderLength + TagLength;

    /// <summary>A keepalive: nothing, sealed.</summary>
    public const int MinLength = Overhead;

    public const int PaddingMultiple = 16;
}
