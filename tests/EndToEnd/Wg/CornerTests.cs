using System.Net;
using System.Net.Sockets;
using Mesh.Crypto;
using Mesh.EndToEnd.Lab;
using Mesh.Protocol.WireGuard;

namespace Mesh.EndToEnd.Wg;

/// <summary>What an interface has to go through on a real host.</summary>
public class CornerTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task An_interface_moved_to_another_namespace_keeps_its_socket_where_it_was()
    {
        await using var lab = new NetworkLab();
        var (client, server) = await InteropTests.PairAsync(lab, Implementation.Mesh, Implementation.WireGuardGo);
        await server.UpAsync(client);
        var box = await lab.AddHostAsync("box");
        await client.SetConfAsync(server, InteropTests.Endpoint(1));
        await client.Host.IpAsync($"link set {client.Interface} netns {box.Name}");
        await box.IpAsync($"addr add {client.Address4}/24 dev {client.Interface}");
        await box.IpAsync($"link set {client.Interface} up");
        await Wait.UntilAsync("a ping", Deadline, () => box.PingsAsync(server.Address4));
        // And it is followed there: down, up, another MTU.
        await box.IpAsync($"link set {client.Interface} down");
        await Wait.UntilAsync("the socket is closed", Deadline, async () => (await client.Host.RunAsync("ss", "-ulnH")).Length == 0);
        await box.IpAsync($"link set {client.Interface} mtu 1280 up");
        await Wait.UntilAsync("a ping", Deadline, () => box.PingsAsync(server.Address4));
    }

    [Theory]
    [InlineData(576, 548)]
    [InlineData(1420, 1392)]
    [InlineData(9000, 8972)]
    [InlineData(65000, 64972)]
    public async Task Packets_as_large_as_the_mtu_pass(int mtu, int ping)
    {
        await using var lab = new NetworkLab();
        var (client, server) = await InteropTests.PairAsync(lab, Implementation.Mesh, Implementation.Mesh);
        await server.UpAsync(client, mtu: mtu);
        await client.UpAsync(server, InteropTests.Endpoint(1), mtu: mtu);
        await Wait.UntilAsync("a ping", Deadline, () => client.Host.PingsAsync(server.Address4));
        foreach (int size in new[] { ping, ping - 1, ping - 15 })
            (await client.Host.TryAsync(["ping", "-n", "-q", "-c", "1", "-W", "3", "-M", "do", "-s", $"{size}", server.Address4])).Checked();
    }

    [Fact]
    public async Task The_answer_leaves_from_the_address_that_was_asked_until_that_is_gone()
    {
        await using var lab = new NetworkLab();
        var (client, server) = await InteropTests.PairAsync(lab, Implementation.WireGuardGo, Implementation.Mesh);
        await server.Host.IpAsync($"addr add 10.81.2.50/24 dev {RoutedSubnets.Interface}");
        await server.UpAsync(client);
        await client.UpAsync(server, "10.81.2.50:51820");
        await Wait.UntilAsync("a ping", Deadline, () => client.Host.PingsAsync(server.Address4));
        Assert.Equal("10.81.2.50:51820", await client.ShowAsync("endpoints"));
        await server.Host.IpAsync($"addr del 10.81.2.50/24 dev {RoutedSubnets.Interface}");
        Assert.True(await server.Host.PingsAsync(client.Address4));
        Assert.Equal("10.81.2.2:51820", await client.ShowAsync("endpoints"));
    }

    [Fact]
    public async Task A_better_route_that_comes_up_is_taken()
    {
        await using var lab = new NetworkLab();
        var (a, b) = (await lab.AddHostAsync("a"), await lab.AddHostAsync("b"));
        await NetworkLab.ConnectAsync((a, "veth1", ["10.0.0.1/24"]), (b, "veth2", ["10.0.0.2/24"]));
        await NetworkLab.ConnectAsync((a, "veth3", ["10.0.0.3/24"]), (b, "veth4", []));
        foreach (var host in new[] { a, b })
            await host.RunAsync("sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0");
        foreach (var (host, name) in new[] { (a, "veth1"), (a, "veth3"), (b, "veth2"), (b, "veth4") })
            await host.RunAsync("sysctl", "-q", "-w", $"net.ipv4.conf.{name}.rp_filter=0");
        await a.IpAsync("route flush dev veth1");
        await a.IpAsync("route flush dev veth3");
        await a.IpAsync("route add 10.0.0.0/24 dev veth1 src 10.0.0.1 metric 2");
        var client = await WgDevice.CreateAsync(a, Implementation.Mesh, 1);
        var server = await WgDevice.CreateAsync(b, Implementation.WireGuardGo, 2);
        await server.UpAsync(client);
        await client.UpAsync(server, "10.0.0.2:51820");
        await Wait.UntilAsync("a ping", Deadline, () => a.PingsAsync(server.Address4));
        Assert.Equal("10.0.0.1:51820", await server.ShowAsync("endpoints"));
        await a.IpAsync("route add 10.0.0.0/24 dev veth3 src 10.0.0.3 metric 1");
        await Wait.UntilAsync("the new way is taken", Deadline,
            async () => await a.PingsAsync(server.Address4) && await server.ShowAsync("endpoints") == "10.0.0.3:51820");
    }

    [Fact]
    public async Task Wireguard_runs_inside_wireguard()
    {
        await using var lab = new NetworkLab();
        var (client, server) = await InteropTests.PairAsync(lab, Implementation.Mesh, Implementation.Mesh);
        await server.UpAsync(client);
        await client.UpAsync(server, InteropTests.Endpoint(1));
        await Wait.UntilAsync("a ping", Deadline, () => client.Host.PingsAsync(server.Address4));
        var (inner, innerServer) = (await WgDevice.CreateAsync(client.Host, Implementation.Mesh, 11), await WgDevice.CreateAsync(server.Host, Implementation.Mesh, 12));
        foreach (var (end, other, endpoint) in new[] { (inner, innerServer, $"{server.Address4}:5"), (innerServer, inner, $"{client.Address4}:5") })
        {
            await end.SetConfAsync(other, endpoint);
            await end.SetAsync("listen-port", "5");
            await end.Host.IpAsync($"addr add 10.77.0.{end.Number}/24 dev {end.Interface}");
            await end.SetAsync("peer", other.PublicKey, "allowed-ips", $"10.77.0.{other.Number}/32");
            await end.Host.IpAsync($"link set {end.Interface} mtu 1340 up");
        }
        await Wait.UntilAsync("a ping inside", Deadline, () => inner.Host.PingsAsync("10.77.0.12"));
        var result = await Transfer.RunAsync(inner.Host, innerServer.Host, "10.77.0.12", 8 * Transfer.Mebibyte);
        Assert.True(result.Intact);
    }

    [Fact]
    public async Task A_routing_loop_ends_by_itself()
    {
        await using var lab = new NetworkLab();
        var (client, server) = await InteropTests.PairAsync(lab, Implementation.Mesh, Implementation.Mesh);
        await server.UpAsync(client);
        await client.UpAsync(server, InteropTests.Endpoint(1));
        await Wait.UntilAsync("a ping", Deadline, () => client.Host.PingsAsync(server.Address4));
        // The peer is now said to be behind the tunnel to itself.
        await client.SetAsync("peer", server.PublicKey, "endpoint", $"{server.Address4}:7");
        long before = (await client.TransferAsync()).Tx;
        Assert.False(await client.Host.PingsAsync(server.Address4, count: 3));
        long settled = (await client.TransferAsync()).Tx;
        await client.SetAsync("peer", server.PublicKey, "endpoint", InteropTests.Endpoint(1));
        Assert.InRange(settled - before, 0, 70_000);
        await Wait.UntilAsync("the tunnel is back", Deadline, () => client.Host.PingsAsync(server.Address4));
    }

    [Fact]
    public async Task A_new_private_key_shakes_hands_at_once()
    {
        await using var lab = new NetworkLab();
        var (client, server) = await InteropTests.PairAsync(lab, Implementation.Mesh, Implementation.WireGuardGo);
        await server.UpAsync(client);
        await client.UpAsync(server, InteropTests.Endpoint(1));
        await Wait.UntilAsync("a ping", Deadline, () => client.Host.PingsAsync(server.Address4));
        string key = await WgDevice.NewKeyAsync(), publicKey = await WgDevice.PublicOfAsync(key);
        (await client.Host.TryAsync(["wg", "set", client.Interface, "private-key", "/dev/stdin"], input: key)).Checked();
        await server.SetAsync("peer", publicKey, "allowed-ips", client.Address4, "peer", client.PublicKey, "remove");
        Assert.True(await client.Host.PingsAsync(server.Address4));
    }

    [Fact]
    public async Task Packets_carry_the_firewall_mark_and_the_port_can_change_under_traffic()
    {
        await using var lab = new NetworkLab();
        var (client, server) = await InteropTests.PairAsync(lab, Implementation.Mesh, Implementation.WireGuardGo);
        await server.UpAsync(client);
        await client.UpAsync(server, InteropTests.Endpoint(1));
        await client.SetAsync("fwmark", "0x1234");
        (await client.Host.TryAsync(["nft", "-f", "-"], input: "table inet m { counter marked { }\n chain out { type filter hook output priority 0; meta mark 0x1234 udp dport 51820 counter name marked; }\n}\n")).Checked();
        await Wait.UntilAsync("a ping", Deadline, () => client.Host.PingsAsync(server.Address4));
        Assert.DoesNotContain("packets 0 ", await client.Host.RunAsync("nft", "list", "counters"), StringComparison.Ordinal);
        await client.SetAsync("listen-port", "9999");
        Assert.True(await client.Host.PingsAsync(server.Address4));
        Assert.Equal("10.81.1.2:9999", await server.ShowAsync("endpoints"));
    }

    [Theory]
    [InlineData(Implementation.Mesh)]
    [InlineData(Implementation.WireGuardGo)]
    public async Task Under_a_flood_a_peer_gets_in_by_its_cookie(Implementation flooded)
    {
        await using var lab = new NetworkLab();
        var net = await RoutedSubnets.BuildAsync(lab, "client", "server", "attacker");
        var client = await WgDevice.CreateAsync(net.Hosts[0], InteropTests.Other(flooded), 1);
        var server = await WgDevice.CreateAsync(net.Hosts[1], flooded, 2);
        await server.UpAsync(client);
        await client.UpAsync(server, InteropTests.Endpoint(1));
        foreach (var host in new[] { client.Host, net.Hosts[2] })
            (await host.TryAsync(["nft", "-f", "-"], input: "table inet c { counter cookies { }\n chain in { type filter hook prerouting priority -300; udp sport 51820 @th,64,32 0x03000000 counter name cookies; }\n}\n")).Checked();
        async Task<bool> GotCookiesAsync(NetworkNamespace host) => !(await host.RunAsync("nft", "list", "counters")).Contains("packets 0 ", StringComparison.Ordinal);
        Assert.True(X25519PublicKey.TryParse(server.PublicKey, out var key));
        using var socket = net.Hosts[2].Inside(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        using var stop = new CancellationTokenSource();
        var flood = Task.Run(() => Flood(socket, key, new IPEndPoint(IPAddress.Parse(RoutedSubnets.Address4(1)), WgDevice.Port), stop.Token));
        try
        {
            await Wait.UntilAsync("the flood is answered with cookies", TimeSpan.FromSeconds(30), () => GotCookiesAsync(net.Hosts[2]));
            await Wait.UntilAsync("a ping under flood", TimeSpan.FromSeconds(60), () => client.Host.PingsAsync(server.Address4));
        }
        finally
        {
            await stop.CancelAsync();
            await flood;
        }
        Assert.True(await GotCookiesAsync(client.Host));
    }

    /// <summary>Initiations whose mac1 holds and whose rest is chance: each costs the responder a curve operation, or a cookie.</summary>
    private static void Flood(Socket socket, X25519PublicKey receiver, IPEndPoint target, CancellationToken stop)
    {
        var mac1 = new Mac1Key(receiver);
        var random = new Random(5);
        byte[][] messages = new byte[512][];
        for (int i = 0; i < messages.Length; i++)
        {
            byte[] message = messages[i] = new byte[InitiationLayout.Length];
            random.NextBytes(message);
            (message[0], message[1], message[2], message[3]) = (1, 0, 0, 0);
            mac1.Compute(message.AsSpan(0, InitiationLayout.Mac1), message.AsSpan(InitiationLayout.Mac1, Blake2s.MacLength));
        }
        const int most = 3_000_000;
        for (int sent = 0; sent < most && !stop.IsCancellationRequested; sent++) socket.SendTo(messages[sent % messages.Length], target);
    }
}
