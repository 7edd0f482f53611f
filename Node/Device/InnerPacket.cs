using System.Buffers.Binary;

namespace Mesh.Node.Device;

/// <summary>The few fields of an IP packet that cryptokey routing needs.</summary>
internal static class InnerPacket
{
    private const int V4Header = 20;
    private const int V6Header = 40;

    public static bool TryGetDestination(ReadOnlySpan<byte> packet, out IpAddressBits destination)
    {
        destination = default;
        if (packet.Length >= V4Header && packet[0] >> 4 == 4) destination = IpAddressBits.V4(packet[16..]);
        else if (packet.Length >= V6Header && packet[0] >> 4 == 6) destination = IpAddressBits.V6(packet[24..]);
        else return false;
        return true;
    }

    /// <summary>Source and true length of a packet that padding may follow.</summary>
    /// <returns>False when it is no IP packet, or says it is longer than it is.</returns>
    public static bool TryGetSource(ReadOnlySpan<byte> padded, out IpAddressBits source, out int length)
    {
        (source, length) = (default, 0);
        if (padded.Length >= V4Header && padded[0] >> 4 == 4)
        {
            length = BinaryPrimitives.ReadUInt16BigEndian(padded[2..]);
            source = IpAddressBits.V4(padded[12..]);
            return length >= V4Header && length <= padded.Length;
        }
        if (padded.Length >= V6Header && padded[0] >> 4 == 6)
        {
            length = V6Header + BinaryPrimitives.ReadUInt16BigEndian(padded[4..]);
            source = IpAddressBits.V6(padded[8..]);
            return length <= padded.Length;
        }
        return false;
    }
}
