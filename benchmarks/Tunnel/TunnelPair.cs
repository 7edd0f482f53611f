using Mesh.EndToEnd.Lab;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>
/// One contender at work between two hosts:
/// <code>
///   host a ── veth0 10.99.0.1 ═══ MTU 1500 ═══ veth0 10.99.0.2 ── host b
///         └─ tunnel 10.88.0.1 ── MTU 1420 ── 10.88.0.2 ─┘
/// </code>
/// </summary>
internal sealed class TunnelPair
{
    public const int LoadPort = 5301;
    public const int BackgroundPort = 5302;
    private const int TunnelMtu = 1420;
    private static readonly string[] Offloads = ["tso", "gso", "gro", "tx-udp-segmentation"];
    private static int Pairs;

    private TunnelPair(Contender contender, NetworkNamespace a, NetworkNamespace b) => (Contender, A, B) = (contender, a, b);

    public Contender Contender { get; }

    /// <summary>Where load comes from.</summary>
    public NetworkNamespace A { get; }

    /// <summary>Where load goes to.</summary>
    public NetworkNamespace B { get; }

    /// <summary>Both ends' daemons; none for the link alone.</summary>
    public IReadOnlyList<LabProcess> Daemons { get; private set; } = [];

    /// <summary>B's address, through the tunnel.</summary>
    public string Target => Contender.Kind == ContenderKind.Link ? "10.99.0.2" : "10.88.0.2";

    public static async Task<TunnelPair> StartAsync(NetworkLab lab, Contender contender)
    {
        int number = Interlocked.Increment(ref Pairs);
        var pair = await JoinAsync(lab, contender, $"p{number}");
        pair.Daemons = contender.Kind switch
        {
            ContenderKind.WireGuard => await pair.StartWireGuardAsync($"bt{number}a", $"bt{number}b"),
            ContenderKind.Nebula => await pair.StartNebulaAsync(Directory.CreateDirectory(Path.Combine(lab.Folder, $"p{number}")).FullName),
            _ => [],
        };
        await Wait.UntilAsync($"{contender.Title} carries a ping", TimeSpan.FromSeconds(20), () => pair.A.PingsAsync(pair.Target, secondsToWait: 1));
        foreach (int port in (int[])[LoadPort, BackgroundPort]) pair.B.Start(["iperf3", "-s", "-B", pair.Target, "-p", $"{port}"]);
        await Wait.UntilAsync("iperf3 listens", TimeSpan.FromSeconds(5), async () =>
            (await pair.B.RunAsync("ss", "-Htln")).Split('\n').Count(line => line.Contains(":530", StringComparison.Ordinal)) == 2);
        return pair;
    }

    /// <summary>Two hosts and the link between them.</summary>
    public static async Task<TunnelPair> JoinAsync(NetworkLab lab, Contender contender, string name)
    {
        var pair = new TunnelPair(contender, await lab.AddHostAsync(name + "a"), await lab.AddHostAsync(name + "b"));
        await NetworkLab.ConnectAsync((pair.A, "veth0", ["10.99.0.1/24"]), (pair.B, "veth0", ["10.99.0.2/24"]));
        return pair;
    }

    /// <summary>Turns the link's offloads off: every datagram crosses alone, as over a plain network card.</summary>
    public async Task SetOffloadsAsync(bool on)
    {
        foreach (NetworkNamespace host in (NetworkNamespace[])[A, B])
            await host.RunAsync(["ethtool", "-K", "veth0", .. Offloads.SelectMany(name => (string[])[name, on ? "on" : "off"])]);
    }

    private async Task<LabProcess[]> StartWireGuardAsync(string nameA, string nameB)
    {
        LabProcess[] daemons = [await Contender.StartWireGuardAsync(A, nameA), await Contender.StartWireGuardAsync(B, nameB)];
        string keyA = await NewKeyAsync(), keyB = await NewKeyAsync();
        await SetAsync(A, nameA, 1, keyA, await PublicOfAsync(keyB));
        await SetAsync(B, nameB, 2, keyB, await PublicOfAsync(keyA));
        return daemons;
    }

    private static async Task SetAsync(NetworkNamespace host, string name, int number, string key, string other)
    {
        string settings = $"""
            [Interface]
            PrivateKey = {key}
            ListenPort = 51820
            [Peer]
            PublicKey = {other}
            AllowedIPs = 10.88.0.{3 - number}/32
            Endpoint = 10.99.0.{3 - number}:51820

            """;
        (await host.TryAsync(["wg", "setconf", name, "/dev/stdin"], input: settings)).Checked();
        await host.IpAsync($"addr add 10.88.0.{number}/24 dev {name}");
        await host.IpAsync($"link set {name} mtu {TunnelMtu} up");
    }

    private async Task<LabProcess[]> StartNebulaAsync(string folder)
    {
        async Task CertAsync(params string[] words) => await NetworkLab.RunAsync(["nebula-cert", .. words]);
        string In(string name) => Path.Combine(folder, name);
        await CertAsync("ca", "-name", "ca", "-out-crt", In("ca.crt"), "-out-key", In("ca.key"));
        var daemons = new List<LabProcess>();
        foreach ((NetworkNamespace host, string name, int number) in new[] { (A, "a", 1), (B, "b", 2) })
        {
            await CertAsync("sign", "-ca-crt", In("ca.crt"), "-ca-key", In("ca.key"), "-name", name, "-ip", $"10.88.0.{number}/24",
                "-out-crt", In(name + ".crt"), "-out-key", In(name + ".key"));
            bool first = number == 1;
            await File.WriteAllTextAsync(In(name + ".yml"), $$"""
                pki: {ca: {{In("ca.crt")}}, cert: {{In(name + ".crt")}}, key: {{In(name + ".key")}}}
                static_host_map: {"10.88.0.1": ["10.99.0.1:4242"]}
                lighthouse: {am_lighthouse: {{(first ? "true" : "false")}}, interval: 60, hosts: [{{(first ? "" : "\"10.88.0.1\"")}}]}
                listen: {host: 10.99.0.{{number}}, port: 4242, batch: 64, read_buffer: 10485760, write_buffer: 10485760}
                cipher: aes
                punchy: {punch: false}
                tun: {dev: neb{{number}}, mtu: {{TunnelMtu}}, tx_queue: 500}
                logging: {level: warning}
                firewall:
                  conntrack: {tcp_timeout: 12m, udp_timeout: 3m, default_timeout: 10m}
                  outbound: [{port: any, proto: any, host: any}]
                  inbound: [{port: any, proto: any, host: any}]
                """);
            daemons.Add(host.Start(["nebula", "-config", In(name + ".yml")]));
        }
        return [.. daemons];
    }

    private static async Task<string> NewKeyAsync() => (await NetworkLab.RunAsync("wg", "genkey")).Trim();

    private static async Task<string> PublicOfAsync(string key)
    {
        await using var process = LabProcess.Start(["wg", "pubkey"], input: key);
        return (await process.WaitForExitAsync(TimeSpan.FromSeconds(5))).Checked().Output.Trim();
    }
}
