using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Mesh.Coordinator.Network;

/// <summary>Which addresses a network gives out. Fixed when it is created.</summary>
/// <param name="IPv4">/8 to /30.</param>
/// <param name="IPv4Excluded">Never given out; each inside the pool or without effect.</param>
/// <param name="IPv6">/32 to /96.</param>
public sealed record AddressPlan(IPNetwork IPv4, ImmutableArray<IPNetwork> IPv4Excluded, IPNetwork IPv6)
{
    /// <summary>
    /// 100.64.0.0/10 without 100.100.100.0/24 (other products' resolvers) and 100.115.92.0/23 (ChromeOS), and a random ULA /48
    /// (RFC 4193).
    /// </summary>
    public static AddressPlan New()
    {
        Span<byte> prefix = stackalloc byte[16];
        prefix.Clear();
        prefix[0] = 0xfd;
        RandomNumberGenerator.Fill(prefix[1..6]);
        return new AddressPlan(
            IPNetwork.Parse("100.64.0.0/10"),
            [IPNetwork.Parse("100.100.100.0/24"), IPNetwork.Parse("100.115.92.0/23")],
            new IPNetwork(new IPAddress(prefix), 48));
    }

    /// <summary>What is wrong with the plan, or null.</summary>
    public string? Problem()
    {
        if (IPv4.BaseAddress.AddressFamily != AddressFamily.InterNetwork || IPv4.PrefixLength is < 8 or > 30)
            return $"The IPv4 pool {IPv4} is not an IPv4 prefix of /8 to /30.";
        if (IPv6.BaseAddress.AddressFamily != AddressFamily.InterNetworkV6 || IPv6.PrefixLength is < 32 or > 96)
            return $"The IPv6 prefix {IPv6} is not an IPv6 prefix of /32 to /96.";
        return IPv4Excluded.Any(excluded => excluded.BaseAddress.AddressFamily != AddressFamily.InterNetwork)
            ? "An excluded range is not an IPv4 prefix."
            : null;
    }
}
