using System.Security.Cryptography;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Wg;

/// <summary>Our device against wireguard-go: nobody on the other side can tell the difference.</summary>
public class InteropTests
{
    private const long PayloadBytes = 100 * Transfer.Mebibyte;
    private static readonly TimeSpan HandshakeDeadline = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(Implementation.Mesh, true, true)]
    [InlineData(Implementation.Mesh, true, false)]
    [InlineData(Implementation.Mesh, false, true)]
    [InlineData(Implementation.Mesh, false, false)]
    [InlineData(Implementation.WireGuardGo, true, true)]
    [InlineData(Implementation.WireGuardGo, true, false)]
    [InlineData(Implementation.WireGuardGo, false, true)]
    [InlineData(Implementation.WireGuardGo, false, false)]
    public async Task Either_begins_with_and_without_a_preshared_key_over_both_families_and_100_MiB_cross_each_way(
        Implementation initiator, bool withPresharedKey, bool underlayIs6)
    {
        await using var lab = new NetworkLab();
        var (first, second) = await PairAsync(lab, initiator, Other(initiator));
        string? psk = withPresharedKey ? Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) : null;
        await second.UpAsync(first, presharedKey: psk);
        await first.UpAsync(second, Endpoint(1, underlayIs6), psk);
        Assert.Equal(0, await second.LastHandshakeAsync());
        await Wait.UntilAsync("a handshake", HandshakeDeadline, () => first.Host.PingsAsync(second.Address4));
        Assert.NotEqual(0, await second.LastHandshakeAsync());
        Assert.True(await second.Host.PingsAsync(first.Address6));
        foreach (var (from, to) in new[] { (first, second), (second, first) })
        {
            var result = await Transfer.RunAsync(from.Host, to.Host, underlayIs6 ? to.Address6 : to.Address4, PayloadBytes);
            Assert.Equal(PayloadBytes, result.BytesReceived);
            Assert.Equal(result.SentSum, result.ReceivedSum);
        }
    }

    [Theory]
    [InlineData(Implementation.Mesh)]
    [InlineData(Implementation.WireGuardGo)]
    public async Task Nothing_passes_when_the_preshared_keys_differ(Implementation initiator)
    {
        await using var lab = new NetworkLab();
        var (first, second) = await PairAsync(lab, initiator, Other(initiator));
        await second.UpAsync(first, presharedKey: Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
        await first.UpAsync(second, Endpoint(1), Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
        var watch = await TrafficWatch.StartAsync(second.Host);
        Assert.False(await first.Host.PingsAsync(second.Address4, count: 5));
        // An initiation and an answer at least: it is the key that failed, not the way.
        Assert.True((await watch.ReadAsync()).WireGuardMessages >= 2);
        Assert.Equal(0, await first.LastHandshakeAsync());
    }

    [Fact]
    public async Task Both_roles_renew_the_session_by_time_without_a_lost_packet()
    {
        await using var lab = new NetworkLab();
        await using var secondLab = new NetworkLab();
        var (a, b) = await PairAsync(lab, Implementation.Mesh, Implementation.WireGuardGo);
        var (c, d) = await PairAsync(secondLab, Implementation.WireGuardGo, Implementation.Mesh, "--queues", "3");
        foreach (var (first, second) in new[] { (a, b), (c, d) })
        {
            await second.UpAsync(first);
            await first.UpAsync(second, Endpoint(1));
            await Wait.UntilAsync("a handshake", HandshakeDeadline, () => first.Host.PingsAsync(second.Address4));
        }
        long[] before = [await a.LastHandshakeAsync(), await c.LastHandshakeAsync()];
        // 125 seconds of pings, one in 0.2 s: the session is renewed after 120 s, in which the initiator sends.
        var pings = await Task.WhenAll(new[] { (a, b), (c, d) }.Select(pair => pair.Item1.Host.TryAsync(
            ["ping", "-n", "-q", "-c", "625", "-i", "0.2", "-W", "1", pair.Item2.Address4], deadline: TimeSpan.FromSeconds(180))));
        Assert.All(pings, ping => Assert.Contains(" 625 received", ping.Output, StringComparison.Ordinal));
        Assert.InRange(await a.LastHandshakeAsync() - before[0], 119, 128);
        Assert.InRange(await c.LastHandshakeAsync() - before[1], 119, 128);
    }

    [Theory]
    [InlineData(Implementation.Mesh)]
    [InlineData(Implementation.WireGuardGo)]
    public async Task Keepalives_hold_a_NAT_mapping_of_two_seconds_open(Implementation inside)
    {
        await using var lab = new NetworkLab();
        var net = await RoutedSubnets.BuildAsync(lab, "client", "server");
        var client = await WgDevice.CreateAsync(net.Hosts[0], inside, 1);
        var server = await WgDevice.CreateAsync(net.Hosts[1], Other(inside), 2);
        await HideClientAsync(net.Router);
        await server.UpAsync(client);
        await client.UpAsync(server, Endpoint(1), keepalive: 1);
        await Wait.UntilAsync("a handshake", HandshakeDeadline, async () => await server.LastHandshakeAsync() != 0);
        Assert.StartsWith("10.81.2.1:", await server.ShowAsync("endpoints"), StringComparison.Ordinal);
        long sent = (await client.TransferAsync()).Tx;
        await Wait.UntilAsync("five keepalives, more than twice the mapping's life", TimeSpan.FromSeconds(20),
            async () => (await client.TransferAsync()).Tx >= sent + 5 * 32);
        Assert.True(await server.Host.PingsAsync(client.Address4));
    }

    [Theory]
    [InlineData(Implementation.Mesh)]
    [InlineData(Implementation.WireGuardGo)]
    public async Task A_peer_that_moves_to_another_address_and_family_is_followed(Implementation mover)
    {
        await using var lab = new NetworkLab();
        var (client, server) = await PairAsync(lab, mover, Other(mover));
        await server.UpAsync(client);
        await client.UpAsync(server, Endpoint(1));
        await Wait.UntilAsync("a handshake", HandshakeDeadline, () => client.Host.PingsAsync(server.Address4));
        await client.Host.RunAsync("sysctl", "-q", "-w", "net.ipv4.conf.all.promote_secondaries=1");
        await client.Host.IpAsync($"addr add 10.81.1.77/24 dev {RoutedSubnets.Interface}");
        await client.Host.IpAsync($"addr del 10.81.1.2/24 dev {RoutedSubnets.Interface}");
        await client.Host.IpAsync("route replace default via 10.81.1.1");
        // wireguard-go loses packets for a while on kernels that answer a lost source address with ENETUNREACH.
        await Wait.UntilAsync("a ping from the new address", HandshakeDeadline, () => client.Host.PingsAsync(server.Address4));
        Assert.Equal($"10.81.1.77:{WgDevice.Port}", await server.ShowAsync("endpoints"));
        await client.SetAsync("peer", server.PublicKey, "endpoint", Endpoint(1, v6: true));
        Assert.True(await client.Host.PingsAsync(server.Address4));
        Assert.Equal($"[{RoutedSubnets.Address6(0)}]:{WgDevice.Port}", await server.ShowAsync("endpoints"));
        Assert.True(await server.Host.PingsAsync(client.Address4));
    }

    [Theory]
    [InlineData(Implementation.Mesh)]
    [InlineData(Implementation.WireGuardGo)]
    public async Task A_peer_that_was_killed_and_started_again_is_back_at_once(Implementation restarted)
    {
        await using var lab = new NetworkLab();
        var (client, server) = await PairAsync(lab, restarted, Other(restarted));
        await server.UpAsync(client, Endpoint(0));
        await client.UpAsync(server, Endpoint(1));
        await Wait.UntilAsync("a handshake", HandshakeDeadline, () => client.Host.PingsAsync(server.Address4));
        await client.Process!.KillAsync();
        await client.LaunchAsync();
        await client.UpAsync(server, Endpoint(1));
        await Wait.UntilAsync("the tunnel is back", HandshakeDeadline, () => client.Host.PingsAsync(server.Address4));
        Assert.True(await server.Host.PingsAsync(client.Address6));
    }

    [Theory]
    [InlineData(Implementation.Mesh)]
    [InlineData(Implementation.WireGuardGo)]
    public async Task Fifty_TCP_streams_share_the_tunnel(Implementation sender)
    {
        await using var lab = new NetworkLab();
        var (client, server) = await PairAsync(lab, sender, Other(sender));
        await server.UpAsync(client);
        await client.UpAsync(server, Endpoint(1));
        await Wait.UntilAsync("a handshake", HandshakeDeadline, () => client.Host.PingsAsync(server.Address4));
        var listener = server.Host.Start(["iperf3", "-s", "-1", "-B", server.Address4]);
        await Wait.UntilAsync("iperf3 listens", HandshakeDeadline,
            async () => (await server.Host.RunAsync("ss", "-tlnH", "sport = 5201")).Length > 0, () => listener.Error);
        var result = (await client.Host.TryAsync(["iperf3", "-J", "-t", "3", "-P", "50", "-c", server.Address4])).Checked();
        using var report = System.Text.Json.JsonDocument.Parse(result.Output);
        var streams = report.RootElement.GetProperty("end").GetProperty("streams").EnumerateArray()
            .Select(stream => stream.GetProperty("sender").GetProperty("bytes").GetInt64()).ToList();
        Assert.Equal(50, streams.Count);
        Assert.All(streams, bytes => Assert.True(bytes > 0));
    }

    [Fact]
    public async Task The_transfer_counters_are_what_the_papers_sizes_add_up_to()
    {
        await using var lab = new NetworkLab();
        var (client, server) = await PairAsync(lab, Implementation.Mesh, Implementation.Mesh);
        await server.UpAsync(client);
        await client.UpAsync(server, Endpoint(1));
        // An interface that comes up over IPv6 says a few words of its own; only what is scripted shall cross.
        foreach (var end in new[] { client, server })
        {
            await end.Host.IpAsync($"-6 addr flush dev {end.Interface}");
            await end.Host.RunAsync("sysctl", "-q", "-w", $"net.ipv6.conf.{end.Interface}.disable_ipv6=1");
            await end.Host.IpAsync($"link set {end.Interface} down");
            await end.Host.IpAsync($"link set {end.Interface} up");
        }
        var (clientBefore, serverBefore) = (await client.TransferAsync(), await server.TransferAsync());
        Assert.True(await client.Host.PingsAsync(server.Address4, count: 10));
        var (rx, tx) = await client.TransferAsync();
        // Initiation 148, response 92; a ping of 84 bytes is padded to 96 and sealed into 128.
        Assert.Equal((92 + 10 * 128, 148 + 10 * 128), (rx - clientBefore.Rx, tx - clientBefore.Tx));
        (rx, tx) = await server.TransferAsync();
        Assert.Equal((148 + 10 * 128, 92 + 10 * 128), (rx - serverBefore.Rx, tx - serverBefore.Tx));
    }

    internal static Implementation Other(Implementation one) =>
        one == Implementation.Mesh ? Implementation.WireGuardGo : Implementation.Mesh;

    internal static string Endpoint(int host, bool v6 = false) =>
        v6 ? $"[{RoutedSubnets.Address6(host)}]:{WgDevice.Port}" : $"{RoutedSubnets.Address4(host)}:{WgDevice.Port}";

    internal static async Task<(WgDevice First, WgDevice Second)> PairAsync(
        NetworkLab lab, Implementation first, Implementation second, params string[] options)
    {
        var net = await RoutedSubnets.BuildAsync(lab, "one", "two");
        return (await WgDevice.CreateAsync(net.Hosts[0], first, 1, options), await WgDevice.CreateAsync(net.Hosts[1], second, 2, options));
    }

    /// <summary>Makes the router hide the first host's subnet from the second, with mappings that live for two seconds.</summary>
    private static async Task HideClientAsync(NetworkNamespace router)
    {
        (await router.TryAsync(["nft", "-f", "-"], input: """
            table ip nat {
              chain out { type nat hook postrouting priority srcnat; oifname "net2" masquerade; }
              chain in { type filter hook forward priority filter; iifname "net2" ct state new drop; }
            }
            """)).Checked();
        await router.RunAsync("sysctl", "-q", "-w", "net.netfilter.nf_conntrack_udp_timeout=2", "net.netfilter.nf_conntrack_udp_timeout_stream=2");
    }
}
