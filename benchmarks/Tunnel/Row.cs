namespace Mesh.Benchmarks.Tunnel;

/// <summary>A line of the report.</summary>
/// <param name="Key">In JSON.</param>
/// <param name="Title">For people, with the unit.</param>
/// <param name="Format">Of a figure, as .NET's custom format.</param>
/// <param name="MoreIsBetter">Whether a ratio above 1 is a win.</param>
/// <param name="HasRatio">False where a ratio says nothing: a count of losses, which may be 0.</param>
internal sealed record Row(string Key, string Title, string Format, bool MoreIsBetter, bool HasRatio = true)
{
    public static readonly Row Tcp1 = new("tcp1", "TCP, 1 stream, Gbit/s", "0.00", true);
    public static readonly Row Tcp1Cpu = new("tcp1Cpu", "— both daemons' CPU, s/GB", "0.00", false);
    public static readonly Row Tcp4 = new("tcp4", "TCP, 4 streams, Gbit/s", "0.00", true);
    public static readonly Row Tcp4Cpu = new("tcp4Cpu", "— both daemons' CPU, s/GB", "0.00", false);
    public static readonly Row Tcp4Rss = new("tcp4Rss", "— peak RSS of a daemon, MB", "0", false);
    public static readonly Row TcpPlain = new("tcp1Plain", "TCP, 1 stream, link without offloads, Gbit/s", "0.00", true);
    public static readonly Row Udp64 = new("udp64", "UDP 64 B flood, delivered, kpps", "0.0", true);
    public static readonly Row Udp64Cpu = new("udp64Cpu", "— both daemons' CPU, µs/packet", "0.0", false);
    public static readonly Row Udp64Rss = new("udp64Rss", "— peak RSS of a daemon, MB", "0", false);
    public static readonly Row UdpMax64 = new("udpMax64", "UDP 64 B, most below 1% loss, kpps", "0.0", true);
    public static readonly Row UdpMax1392 = new("udpMax1392", "UDP 1392 B, most below 1% loss, kpps", "0.0", true);
    public static readonly Row Ping50 = new("pingIdleP50", "ping, idle, p50, µs", "0", false);
    public static readonly Row Ping99 = new("pingIdleP99", "ping, idle, p99, µs", "0", false);
    public static readonly Row PingLost = new("pingIdleLost", "— lost, %", "0.0", false, HasRatio: false);
    public static readonly Row LoadedPing50 = new("pingLoadedP50", "ping under TCP, p50, ms", "0.00", false);
    public static readonly Row LoadedPing99 = new("pingLoadedP99", "ping under TCP, p99, ms", "0.00", false);
    public static readonly Row LoadedPingLost = new("pingLoadedLost", "— lost, %", "0.0", false, HasRatio: false);
    public static readonly Row Handshakes = new("handshakes", "handshakes answered a second", "0", true);
    public static readonly Row HandshakeCpu = new("handshakeCpu", "— responder's CPU, µs each", "0", false);
    public static readonly Row PeersSet = new("peersSet", "10,000 peers: configured in, s", "0.0", false);
    public static readonly Row IdleRss = new("idleRss", "10,000 idle peers: RSS, MB", "0", false);
    public static readonly Row IdleCpu = new("idleCpu", "10,000 idle peers: CPU, % of a core", "0.00", false, HasRatio: false);

    /// <summary>In the order of the report.</summary>
    public static readonly IReadOnlyList<Row> All =
    [
        Tcp1, Tcp1Cpu, Tcp4, Tcp4Cpu, Tcp4Rss, TcpPlain, Udp64, Udp64Cpu, Udp64Rss, UdpMax64, UdpMax1392, Ping50, Ping99, PingLost,
        LoadedPing50, LoadedPing99, LoadedPingLost, Handshakes, HandshakeCpu, PeersSet, IdleRss, IdleCpu,
    ];
}
