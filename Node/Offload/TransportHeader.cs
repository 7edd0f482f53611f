namespace Mesh.Node.Offload;

/// <summary>Where the transport header of an IP packet stands. Trusts nothing that the packet says of itself.</summary>
internal static unsafe class TransportHeader
{
    public const byte Tcp = 6;
    public const byte Udp = 17;

    public const int V4Length = 20;
    public const int V6Length = 40;
    public const int TcpLength = 20;
    public const int UdpLength = 8;

    /// <summary>Places of the checksum fields in their headers.</summary>
    public const int TcpChecksum = 16;
    public const int UdpChecksum = 6;

    private const byte HopByHop = 0;
    private const byte Routing = 43;
    private const byte DestinationOptions = 60;

    // More than anyone sends, and an end to what a packet can make us walk.
    private const int MaxExtensions = 8;

    /// <summary>Finds the header behind IPv4 options and IPv6 extension headers.</summary>
    /// <param name="packet">Any bytes.</param>
    /// <param name="protocol">What the header is of.</param>
    /// <returns>Its offset, at least <see cref="V4Length"/>; 0 when there is none: no IP, cut short, or a fragment.</returns>
    public static int Find(byte* packet, int length, out byte protocol)
    {
        protocol = 0;
        if (length < V4Length) return 0;
        switch (packet[0] >> 4)
        {
            case 4:
                int header = (packet[0] & 15) * 4;
                if (header < V4Length || header > length || IsFragment4(packet)) return 0;
                protocol = packet[9];
                return header;
            case 6 when length >= V6Length:
                return Find6(packet, length, out protocol);
            default:
                return 0;
        }
    }

    /// <summary>More fragments follow, or it is not the first.</summary>
    public static bool IsFragment4(byte* packet) => (NetworkOrder.Read16(packet + 6) & 0x3fff) != 0;

    private static int Find6(byte* packet, int length, out byte protocol)
    {
        int at = V6Length;
        protocol = packet[6];
        for (int i = 0; i < MaxExtensions; i++)
        {
            // The fragment header (44) is none of these: what stands behind it is not looked at.
            if (protocol is not (HopByHop or Routing or DestinationOptions)) return at;
            if (length - at < 8) return 0;
            protocol = packet[at];
            at += (packet[at + 1] + 1) * 8;
            if (at > length) return 0;
        }
        return 0;
    }
}
