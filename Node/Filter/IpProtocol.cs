namespace Mesh.Node.Filter;

/// <summary>Assigned Internet protocol numbers that the filter knows something about.</summary>
internal static class IpProtocol
{
    public const byte HopByHop = 0;
    public const byte Icmp = 1;
    public const byte Tcp = 6;
    public const byte Udp = 17;
    public const byte Routing = 43;
    public const byte Fragment = 44;
    public const byte IcmpV6 = 58;
    public const byte DestinationOptions = 60;
    public const byte Sctp = 132;

    /// <summary>What a rule that names no protocol is about.</summary>
    public static ReadOnlySpan<byte> Default => [Tcp, Udp, Icmp, IcmpV6];

    /// <summary>Whether a rule's ports mean something: the protocols whose header begins with two ports.</summary>
    public static bool HasPorts(byte protocol) => protocol is Tcp or Udp or Sctp;
}
