namespace Mesh.Node.Filter;

/// <summary>
/// How long a flow lasts without a packet of the side that keeps it alive, in device ticks. What RFCs ask of NATs stands as the
/// least: 4 minutes for connections in transition and 2 hours 4 minutes for established ones (RFC 5382, REQ-5), 2 minutes for
/// UDP (RFC 4787, REQ-5), 60 seconds for ICMP queries (RFC 5508, REQ-2).
/// </summary>
internal static class FlowTimes
{
    public const long TcpOpening = 4 * TimeSpan.TicksPerMinute;

    /// <summary>A day, so that a quiet session outlives keepalives that are off.</summary>
    public const long TcpEstablished = TimeSpan.TicksPerDay;
    public const long TcpClosing = 4 * TimeSpan.TicksPerMinute;

    /// <summary>For what is still on the way.</summary>
    public const long TcpClosed = 10 * TimeSpan.TicksPerSecond;
    public const long Udp = 3 * TimeSpan.TicksPerMinute;
    public const long Echo = TimeSpan.TicksPerMinute;
    public const long Other = 10 * TimeSpan.TicksPerMinute;

    /// <summary>As long as Linux waits for the rest of an IPv4 datagram.</summary>
    public const long Fragment = 30 * TimeSpan.TicksPerSecond;

    /// <summary>Of anything but TCP.</summary>
    public static long Of(byte protocol) => protocol switch
    {
        IpProtocol.Udp => Udp,
        IpProtocol.Icmp or IpProtocol.IcmpV6 => Echo,
        _ => Other,
    };
}
