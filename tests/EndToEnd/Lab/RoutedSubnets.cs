namespace Mesh.EndToEnd.Lab;

/// <summary>
/// Hosts on subnets of their own around one router, so that they reach each other by routing only:
/// <code>
///   host 1  10.81.1.2  2001:db8:1::2 ──┐
///   host 2  10.81.2.2  2001:db8:2::2 ──┼── router  10.81.N.1  2001:db8:N::1
///   host N  10.81.N.2  2001:db8:N::2 ──┘
/// </code>
/// Each host's interface is called <see cref="Interface"/>.
/// </summary>
internal sealed class RoutedSubnets
{
    public const string Interface = "eth0";

    private RoutedSubnets(NetworkNamespace router, IReadOnlyList<NetworkNamespace> hosts)
    {
        Router = router;
        Hosts = hosts;
    }

    public NetworkNamespace Router { get; }

    public IReadOnlyList<NetworkNamespace> Hosts { get; }

    /// <summary>The IPv4 address of the host at an index that counts from zero.</summary>
    public static string Address4(int index) => $"10.81.{index + 1}.2";

    /// <inheritdoc cref="Address4"/>
    public static string Address6(int index) => $"2001:db8:{index + 1}::2";

    public static async Task<RoutedSubnets> BuildAsync(NetworkLab lab, params string[] names)
    {
        var router = await lab.AddRouterAsync("router");
        var hosts = new List<NetworkNamespace>();
        foreach (var name in names)
        {
            var n = hosts.Count + 1;
            var host = await lab.AddHostAsync(name);
            hosts.Add(host);
            await NetworkLab.ConnectAsync(
                (host, Interface, [$"10.81.{n}.2/24", $"2001:db8:{n}::2/64"]),
                (router, $"net{n}", [$"10.81.{n}.1/24", $"2001:db8:{n}::1/64"]));
            await host.IpAsync($"route add default via 10.81.{n}.1");
            await host.IpAsync($"-6 route add default via 2001:db8:{n}::1");
        }

        return new RoutedSubnets(router, hosts);
    }
}
