using System.Text.RegularExpressions;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Wg;

/// <summary>wg(8) and wg-quick(8) drive our device as they drive wireguard-go.</summary>
public partial class ConfigurationTests
{
    private const string KeyA = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    private const string KeyB = "4IqnVC9WuKBqPOSKPyIaQ1pyQrFYLnmqwFDjVMGvqkM=";
    private const string PeerC = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
    private const string PeerD = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
    private const string Psk = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

    /// <summary>Every setting of wg set, setconf, addconf and syncconf, one after the other; what both show must agree after each.</summary>
    private static readonly (string[] Verb, string? Input)[] Script =
    [
        (["show", "{if}"], null),
        (["set", "{if}", "listen-port", "12912", "fwmark", "0xca6c", "private-key", "/dev/stdin"], KeyA),
        (["set", "{if}", "peer", PeerC, "allowed-ips", "10.0.0.0/8,192.168.4.4/32,fd00::/8,::/0", "endpoint", "192.0.2.7:51820", "persistent-keepalive", "25"], null),
        (["set", "{if}", "peer", PeerC, "preshared-key", "/dev/stdin"], Psk),
        (["set", "{if}", "peer", PeerD, "allowed-ips", "10.0.0.0/8,10.1.2.3/16", "endpoint", "[2001:db8::1]:7"], null),
        (["set", "{if}", "peer", PeerD, "allowed-ips", ""], null),
        (["set", "{if}", "peer", PeerC, "persistent-keepalive", "off"], null),
        (["set", "{if}", "peer", PeerC, "preshared-key", "/dev/stdin"], ""),
        (["set", "{if}", "fwmark", "0"], null),
        (["addconf", "{if}", "/dev/stdin"], $"[Peer]\nPublicKey={PeerD}\nAllowedIPs=10.9.0.0/24\nEndpoint=192.0.2.9:9\n"),
        (["setconf", "{if}", "/dev/stdin"], $"[Interface]\nPrivateKey={KeyB}\nListenPort=12913\nFwMark=7\n[Peer]\nPublicKey={PeerC}\nPresharedKey={Psk}\nAllowedIPs=0.0.0.0/0\nPersistentKeepalive=65535\n"),
        (["syncconf", "{if}", "/dev/stdin"], $"[Interface]\nPrivateKey={KeyB}\nListenPort=12913\n[Peer]\nPublicKey={PeerD}\nAllowedIPs=10.2.0.0/24,10.3.0.0/24\n"),
        (["set", "{if}", "peer", PeerD, "remove"], null),
        (["set", "{if}", "private-key", "/dev/stdin"], ""),
        (["set", "{if}", "listen-port", "0"], null),
    ];

    [Fact]
    public async Task Every_verb_shows_what_it_shows_with_wireguard_go()
    {
        await using var lab = new NetworkLab();
        var ours = await WgDevice.CreateAsync(await lab.AddHostAsync("a"), Implementation.Mesh);
        var go = await WgDevice.CreateAsync(await lab.AddHostAsync("b"), Implementation.WireGuardGo);
        foreach (var up in new[] { false, true })
        {
            if (up)
                foreach (var device in new[] { ours, go })
                {
                    await device.Host.IpAsync($"link set {device.Interface} up");
                    await Wait.UntilAsync("a port is taken", TimeSpan.FromSeconds(10), async () => await device.ShowAsync("listen-port") != "0");
                }
            foreach (var (verb, input) in Script)
            {
                var (expected, actual) = (await RunAsync(go, verb, input), await RunAsync(ours, verb, input));
                Assert.Equal(expected, actual);
                foreach (var what in new[] { "public-key", "private-key", "listen-port", "fwmark", "peers", "preshared-keys", "endpoints", "allowed-ips", "latest-handshakes", "persistent-keepalive", "dump" })
                    Assert.Equal((up, string.Join(' ', verb), what, await ShowAsync(go, what)), (up, string.Join(' ', verb), what, await ShowAsync(ours, what)));
                Assert.Equal(await RunAsync(go, ["showconf", "{if}"], null), await RunAsync(ours, ["showconf", "{if}"], null));
            }
        }
    }

    [Fact]
    public async Task Wg_quick_brings_a_tunnel_up_and_takes_it_down_without_a_trace()
    {
        await using var lab = new NetworkLab();
        var net = await RoutedSubnets.BuildAsync(lab, "quick", "other");
        var other = await WgDevice.CreateAsync(net.Hosts[1], Implementation.WireGuardGo, 2);
        string key = await WgDevice.NewKeyAsync();
        string file = Path.Combine(lab.Folder, "wgq0.conf");
        await File.WriteAllTextAsync(file, $"""
            [Interface]
            PrivateKey = {key}
            Address = 10.88.0.1/24, fd88::1/64
            [Peer]
            PublicKey = {other.PublicKey}
            AllowedIPs = 10.88.0.2/32, fd88::2/128, 10.99.0.0/16
            Endpoint = {InteropTests.Endpoint(1)}
            """);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        string conf = $"[Interface]\nPrivateKey={other.PrivateKey}\nListenPort={WgDevice.Port}\n[Peer]\nPublicKey={await WgDevice.PublicOfAsync(key)}\nAllowedIPs=10.88.0.1/32,fd88::1/128\n";
        (await other.Host.TryAsync(["wg", "setconf", other.Interface, "/dev/stdin"], input: conf)).Checked();
        await other.Host.IpAsync($"addr add 10.88.0.2/24 dev {other.Interface}");
        await other.Host.IpAsync($"link set {other.Interface} up");

        string[] quick = ["env", $"WG_QUICK_USERSPACE_IMPLEMENTATION={Repository.Program("mesh-wg")}", "wg-quick"];
        (await net.Hosts[0].TryAsync([.. quick, "up", file])).Checked();
        await Wait.UntilAsync("a ping", TimeSpan.FromSeconds(10), () => net.Hosts[0].PingsAsync("10.88.0.2"));
        Assert.Contains("10.99.0.0/16 dev wgq0", await net.Hosts[0].RunAsync("ip", "route"), StringComparison.Ordinal);
        (await net.Hosts[0].TryAsync([.. quick, "down", file])).Checked();
        Assert.False(File.Exists("/var/run/wireguard/wgq0.sock"));
        Assert.DoesNotContain("wgq0", await net.Hosts[0].RunAsync("ip", "link"), StringComparison.Ordinal);
        await Wait.UntilAsync("the process is gone", TimeSpan.FromSeconds(10),
            async () => (await NetworkLab.RunAsync("ps", "-eo", "args")).Split('\n').All(line => !line.Contains("wg wgq0", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Tens_of_thousands_of_allowed_ips_are_set_and_shown()
    {
        await using var lab = new NetworkLab();
        var device = await WgDevice.CreateAsync(await lab.AddHostAsync("a"), Implementation.Mesh);
        var lines = new List<string> { "[Interface]", $"PrivateKey={KeyA}", "[Peer]", $"PublicKey={PeerC}" };
        for (int a = 1; a <= 255; a++)
            for (int b = 0; b < 256; b++)
                lines.Add($"AllowedIPs={a}.{b}.0.0/16,{a:x}::{b:x}/128");
        (await device.Host.TryAsync(["wg", "setconf", device.Interface, "/dev/stdin"], input: string.Join('\n', lines) + "\n")).Checked();
        Assert.Equal(255 * 256 * 2, (await device.ShowAsync("allowed-ips")).Split(' ').Length);
    }

    [Fact]
    public async Task An_interface_that_is_not_there_is_not_shown()
    {
        await using var lab = new NetworkLab();
        var host = await lab.AddHostAsync("a");
        Assert.NotEqual(0, (await host.TryAsync(["wg", "show", "wgnone"])).ExitCode);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(WgDevice device, string[] verb, string? input)
    {
        var result = await device.Host.TryAsync(["wg", .. verb.Select(word => word == "{if}" ? device.Interface : word)], input ?? "");
        return (result.ExitCode, Normal(device, result.Output), Normal(device, result.Error));
    }

    /// <summary>
    /// Peers in the order of their keys: wireguard-go shows them in a random one. Ports that were drawn are not compared, nor that
    /// wireguard-go takes one on newer kernels while the interface is still down.
    /// </summary>
    private static async Task<string> ShowAsync(WgDevice device, string what)
    {
        string[] lines = Normal(device, await device.Host.RunAsync("wg", "show", device.Interface, what)).Split('\n');
        string[] fields = lines[0].Split('\t');
        int port = what switch { "listen-port" => 0, "dump" => 2, _ => -1 };
        if (port >= 0 && fields[port] is not ("12912" or "12913")) fields[port] = "PORT";
        var rest = lines.Skip(1).Select(line => what == "dump" ? WithoutCounters(line) : line);
        return string.Join('\n', rest.Prepend(string.Join('\t', fields)).Order(StringComparer.Ordinal));
    }

    private static string WithoutCounters(string peer)
    {
        string[] fields = peer.Split('\t');
        (fields[5], fields[6]) = ("RX", "TX");
        return string.Join('\t', fields);
    }

    private static string Normal(WgDevice device, string text) => string.Join("\n\n",
        Drawn().Replace(text.Replace(device.Interface, "IF", StringComparison.Ordinal), "").Trim().Split("\n\n").Order(StringComparer.Ordinal));

    [GeneratedRegex("ListenPort = (?!1291[23])[0-9]+\n|  listening port: (?!1291[23])[0-9]+\n|  transfer: .*\n")]
    private static partial Regex Drawn();
}
