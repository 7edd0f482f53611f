namespace Mesh.Node.Udp;

/// <summary>The address family of an endpoint. IPv4-mapped IPv6 addresses are always <see cref="IPv4"/>.</summary>
public enum UdpFamily : byte
{
    /// <summary>No endpoint.</summary>
    None = 0,

    /// <summary>IPv4.</summary>
    IPv4 = 4,

    /// <summary>IPv6.</summary>
    IPv6 = 6,
}
