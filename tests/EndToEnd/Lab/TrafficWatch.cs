using System.Text.Json;

namespace Mesh.EndToEnd.Lab;

/// <summary>What passed a host since it is watched.</summary>
/// <param name="Bytes">Bytes of all packets in and out, over all interfaces but the loopback, from the link layer up.</param>
/// <param name="WireGuardMessages">UDP datagrams in and out that begin like one of the four WireGuard messages.</param>
internal sealed record Traffic(long Bytes, long WireGuardMessages)
{
    public static Traffic operator -(Traffic later, Traffic earlier) =>
        new(later.Bytes - earlier.Bytes, later.WireGuardMessages - earlier.WireGuardMessages);
}

/// <summary>Counts, in the kernel, what passes a host: nothing is sampled and nothing is lost under load.</summary>
internal sealed class TrafficWatch
{
    /// <summary>A message type from 1 to 4 and three zero bytes, at the head of the UDP payload (WireGuard paper, section 5.4).</summary>
    private const string Rules =
        """
        table inet watch {
          counter wireguard { }
          set heads { typeof @th,64,32; elements = { 0x01000000, 0x02000000, 0x03000000, 0x04000000 }; }
          chain arriving { type filter hook prerouting priority -300; meta l4proto udp @th,64,32 @heads counter name wireguard; }
          chain leaving { type filter hook output priority -300; meta l4proto udp @th,64,32 @heads counter name wireguard; }
        }
        """;

    private readonly NetworkNamespace _host;

    private TrafficWatch(NetworkNamespace host) => _host = host;

    public static async Task<TrafficWatch> StartAsync(NetworkNamespace host)
    {
        (await host.TryAsync(["nft", "-f", "-"], input: Rules)).Checked();
        return new TrafficWatch(host);
    }

    public async Task<Traffic> ReadAsync()
    {
        using var links = JsonDocument.Parse(await _host.RunAsync("ip", "-json", "-statistics", "link", "show"));
        var bytes = links.RootElement.EnumerateArray()
            .Where(link => link.GetProperty("ifname").GetString() != "lo")
            .Select(link => link.GetProperty("stats64"))
            .Sum(stats => stats.GetProperty("rx").GetProperty("bytes").GetInt64() + stats.GetProperty("tx").GetProperty("bytes").GetInt64());

        using var counters = JsonDocument.Parse(await _host.RunAsync("nft", "--json", "list", "counter", "inet", "watch", "wireguard"));
        var messages = counters.RootElement.GetProperty("nftables").EnumerateArray()
            .Where(entry => entry.TryGetProperty("counter", out _))
            .Sum(entry => entry.GetProperty("counter").GetProperty("packets").GetInt64());
        return new Traffic(bytes, messages);
    }
}
