using System.Security.Cryptography;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Engine;

/// <summary>The engine against the wireguard-go that Debian ships.</summary>
public class WireGuardGoTests
{
    private const long PayloadBytes = 100 * Transfer.Mebibyte;
    private static readonly TimeSpan HandshakeDeadline = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, true, false)]
    [InlineData(true, false, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, true)]
    [InlineData(false, true, false)]
    [InlineData(false, false, true)]
    [InlineData(false, false, false)]
    public async Task The_engine_and_wireguard_go_shake_hands_and_carry_100_MiB_each_way(
        bool engineInitiates, bool withPresharedKey, bool underlayIs6)
    {
        await using var lab = new NetworkLab();
        var net = await RoutedSubnets.BuildAsync(lab, "engine", "go");
        var engine = new EngineEnd(net.Hosts[0], 1);
        var go = new WireGuardGoEnd(net.Hosts[1], 2);
        await StartAsync(engine, go, engineInitiates, underlayIs6, PresharedKey(withPresharedKey));

        // Only the one who knows where the other is can begin.
        var (first, second) = engineInitiates ? ((TunnelEnd)engine, (TunnelEnd)go) : (go, engine);
        Assert.Equal(0, await go.LastHandshakeAsync());
        await Wait.UntilAsync("a handshake", HandshakeDeadline, () => first.Host.PingsAsync(second.Address4));
        Assert.NotEqual(0, await go.LastHandshakeAsync());
        Assert.True(await second.Host.PingsAsync(first.Address6));

        foreach (var (from, to) in new[] { (first, second), (second, first) })
        {
            var result = await Transfer.RunAsync(from.Host, to.Host, underlayIs6 ? to.Address6 : to.Address4, PayloadBytes);
            Assert.Equal(PayloadBytes, result.BytesReceived);
            Assert.Equal(result.SentSum, result.ReceivedSum);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nothing_passes_when_the_preshared_keys_differ(bool engineInitiates)
    {
        await using var lab = new NetworkLab();
        var net = await RoutedSubnets.BuildAsync(lab, "engine", "go");
        var engine = new EngineEnd(net.Hosts[0], 1);
        var go = new WireGuardGoEnd(net.Hosts[1], 2);
        await StartAsync(engine, go, engineInitiates, underlayIs6: false, PresharedKey(true), PresharedKey(true));
        var watch = await TrafficWatch.StartAsync(go.Host);

        var (first, second) = engineInitiates ? ((TunnelEnd)engine, (TunnelEnd)go) : (go, engine);
        Assert.False(await first.Host.PingsAsync(second.Address4, count: 5));
        // An initiation and an answer at least: it is the key that failed, not the way.
        Assert.True((await watch.ReadAsync()).WireGuardMessages >= 2);
        Assert.Equal(0, await go.LastHandshakeAsync());
    }

    private static async Task StartAsync(
        EngineEnd engine, WireGuardGoEnd go, bool engineInitiates, bool underlayIs6, string? engineKey, string? goKey)
    {
        await engine.MakeKeysAsync();
        await go.MakeKeysAsync();
        string Endpoint(int host) => underlayIs6
            ? $"[{RoutedSubnets.Address6(host)}]:{TunnelEnd.Port}"
            : $"{RoutedSubnets.Address4(host)}:{TunnelEnd.Port}";
        await engine.StartAsync(go, engineInitiates ? Endpoint(1) : null, engineKey);
        await go.StartAsync(engine, engineInitiates ? null : Endpoint(0), goKey);
    }

    private static Task StartAsync(EngineEnd engine, WireGuardGoEnd go, bool engineInitiates, bool underlayIs6, string? presharedKey) =>
        StartAsync(engine, go, engineInitiates, underlayIs6, presharedKey, presharedKey);

    private static string? PresharedKey(bool wanted) => wanted ? Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) : null;
}
