using System.Runtime.CompilerServices;

namespace Mesh.Node.Offload;

/// <summary>
/// Explicit congestion notification through the tunnel (RFC 6040): on the way in (normal mode) the outer header takes the
/// inner one's mark, on the way out the two are combined. The mark is the last two bits of the traffic class.
/// </summary>
internal static unsafe class Ecn
{
    public const int Mask = 3;
    public const int NotCapable = 0;
    public const int Capable1 = 1;
    public const int Capable0 = 2;
    public const int CongestionExperienced = 3;

    /// <summary>The mark of an IP packet with a whole header.</summary>
    public static int Of(byte* packet) => (packet[0] >> 4 == 4 ? packet[1] : packet[1] >> 4) & Mask;

    /// <summary>
    /// Combines the outer header's mark into a packet that came out of the tunnel (RFC 6040 section 4.2).
    /// <code>
    ///   inner \ outer   Not-ECT   ECT(0)    ECT(1)    CE
    ///   Not-ECT         Not-ECT   Not-ECT   Not-ECT   drop
    ///   ECT(0)          ECT(0)    ECT(0)    ECT(1)    CE
    ///   ECT(1)          ECT(1)    ECT(1)    ECT(1)    CE
    ///   CE              CE        CE        CE        CE
    /// </code>
    /// </summary>
    /// <returns>False when the packet must be dropped, as its sender would never learn of the congestion.</returns>
    public static bool TryCombine(byte* packet, int outer)
    {
        if (outer is NotCapable or Capable0) return true;
        int inner = Of(packet);
        if (inner == NotCapable) return outer != CongestionExperienced;
        if (outer == CongestionExperienced || inner == Capable0) Set(packet, inner, outer);
        return true;
    }

    private static void Set(byte* packet, int from, int to)
    {
        if (packet[0] >> 4 != 4)
        {
            packet[1] = (byte)((packet[1] & ~(Mask << 4)) | (to << 4));
            return;
        }
        packet[1] = (byte)((packet[1] & ~Mask) | to);
        // RFC 1624: new sum = old sum + ~old word + new word; only the second byte of the first word changes.
        ulong sum = (ushort)~Unsafe.ReadUnaligned<ushort>(packet + 10);
        sum += 0xffff - InternetChecksum.Of(from) + InternetChecksum.Of(to);
        Unsafe.WriteUnaligned(packet + 10, (ushort)~InternetChecksum.Fold(sum));
    }
}
