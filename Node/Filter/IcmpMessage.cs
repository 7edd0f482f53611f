namespace Mesh.Node.Filter;

/// <summary>What an ICMP message is to the filter.</summary>
internal enum IcmpMessage : byte
{
    /// <summary>The packet is not ICMP of its own family.</summary>
    None,

    /// <summary>Begins a flow, which its identifier names.</summary>
    EchoRequest,

    /// <summary>Answers one.</summary>
    EchoReply,

    /// <summary>About a packet, whose beginning it quotes.</summary>
    Error,

    /// <summary>Speaks of the link or of routes (redirects, neighbour and router discovery, listeners, source quench), which no peer has a say in.</summary>
    Link,

    /// <summary>Another query or answer.</summary>
    Other,
}

/// <summary>The types of RFC 792 and RFC 4443 and its followers.</summary>
internal static class IcmpTypes
{
    public static IcmpMessage OfV4(byte type) => type switch
    {
        0 => IcmpMessage.EchoReply,
        3 or 11 or 12 => IcmpMessage.Error,
        4 or 5 or 9 or 10 => IcmpMessage.Link,
        8 => IcmpMessage.EchoRequest,
        _ => IcmpMessage.Other,
    };

    // Types below 128 are errors, those not yet known too (RFC 4443, 2.1).
    public static IcmpMessage OfV6(byte type) => type switch
    {
        < 128 => IcmpMessage.Error,
        128 => IcmpMessage.EchoRequest,
        129 => IcmpMessage.EchoReply,
        (>= 130 and <= 137) or (>= 141 and <= 143) or 148 or 149 or (>= 151 and <= 153) => IcmpMessage.Link,
        _ => IcmpMessage.Other,
    };
}
