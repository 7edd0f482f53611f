using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy;

/// <summary>
/// What autogroup:internet stands for: 2000::/3 and all of IPv4 but private (RFC 1918), shared (RFC 6598) and link-local
/// (RFC 3927) addresses.
/// </summary>
internal static class Internet
{
    /// <summary>Disjoint, in order.</summary>
    public static ImmutableArray<IpPrefix> Prefixes { get; } =
    [
        .. Without(IpPrefix.AllIPv4, [
            IpPrefix.Parse("10.0.0.0/8"), IpPrefix.Parse("100.64.0.0/10"), IpPrefix.Parse("169.254.0.0/16"),
            IpPrefix.Parse("172.16.0.0/12"), IpPrefix.Parse("192.168.0.0/16"),
        ]),
        IpPrefix.Parse("2000::/3"),
    ];

    /// <summary>Whether all of the prefix is the internet.</summary>
    public static bool Covers(IpPrefix prefix) => Prefixes.Any(part => part.Contains(prefix));

    private static IEnumerable<IpPrefix> Without(IpPrefix whole, IpPrefix[] holes)
    {
        if (holes.Any(hole => hole.Contains(whole))) yield break;
        if (!holes.Any(whole.Contains))
        {
            yield return whole;
            yield break;
        }
        int length = whole.Length + 1;
        UInt128 half = UInt128.One << (whole.Bits - length);
        foreach (var part in Without(IpPrefix.Create(whole.IsIPv6, whole.First, length), holes)) yield return part;
        foreach (var part in Without(IpPrefix.Create(whole.IsIPv6, whole.First + half, length), holes)) yield return part;
    }
}
