using System.Buffers.Binary;
using Mesh.Node.Udp;

namespace Mesh.Node.Device;

/// <summary>The few fields of an IP packet that cryptokey routing needs.</summary>
internal static class InnerPacket
{
    private const int V4Header = 20;
    private const int V6Header = 40;
    private const byte Tcp = 6;
    private const byte Udp = 17;

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

    /// <summary>UDP straight behind the header.</summary>
    /// <param name="packet">With a whole header.</param>
    public static bool IsUdp(ReadOnlySpan<byte> packet) => Protocol(packet) == Udp;

    /// <summary>TCP straight behind the header.</summary>
    /// <param name="packet">With a whole header.</param>
    public static bool IsTcp(ReadOnlySpan<byte> packet) => Protocol(packet) == Tcp;

    /// <summary>Whether a UDP packet goes to the endpoint from that port: a message of our own to it.</summary>
    /// <param name="packet">With a whole header.</param>
    public static bool IsUdpTo(ReadOnlySpan<byte> packet, in UdpEndpoint endpoint, int sourcePort)
    {
        bool v4 = packet[0] >> 4 == 4;
        int header = v4 ? (packet[0] & 15) * 4 : V6Header;
        if (packet.Length < header + 4 || (v4 && (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x1fff) != 0)) return false;
        return BinaryPrimitives.ReadUInt16BigEndian(packet[header..]) == sourcePort
            && BinaryPrimitives.ReadUInt16BigEndian(packet[(header + 2)..]) == endpoint.Port
            && (v4
                ? endpoint.Family == UdpFamily.IPv4 && BinaryPrimitives.ReadUInt32BigEndian(packet[16..]) == endpoint.AddressLow
                : endpoint.Family == UdpFamily.IPv6 && BinaryPrimitives.ReadUInt64BigEndian(packet[24..]) == endpoint.AddressHigh
                    && BinaryPrimitives.ReadUInt64BigEndian(packet[32..]) == endpoint.AddressLow);
    }

    private static byte Protocol(ReadOnlySpan<byte> packet) => packet[packet[0] >> 4 == 4 ? 9 : 6];
}
