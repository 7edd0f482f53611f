using System.Text.Json;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Engine;

/// <summary>One end of a plain WireGuard tunnel between two hosts: addresses, keys, and a process that runs the interface.</summary>
internal abstract class TunnelEnd(NetworkNamespace host, int number)
{
    public const int Port = 51820;
    public const int Mtu = 1420;

    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(20);
    private static int Interfaces;

    public NetworkNamespace Host { get; } = host;

    public string Address4 { get; } = $"10.88.0.{number}";

    public string Address6 { get; } = $"fd88::{number}";

    public string PublicKey { get; private set; } = "";

    /// <summary>Unique in the whole system: wg's configuration sockets are named after it, for all namespaces.</summary>
    protected string Interface { get; } = $"wgt{Interlocked.Increment(ref Interfaces)}";

    protected string PrivateKey { get; private set; } = "";

    public async Task MakeKeysAsync()
    {
        PrivateKey = (await Host.RunAsync("wg", "genkey")).Trim();
        PublicKey = (await Host.TryAsync(["wg", "pubkey"], input: PrivateKey)).Checked().Output.Trim();
    }

    /// <summary>Brings the interface up with the other end as its only peer.</summary>
    /// <param name="endpoint">Where the other end is; null to wait for it.</param>
    public async Task StartAsync(TunnelEnd other, string? endpoint, string? presharedKey)
    {
        var process = await LaunchAsync(other, endpoint, presharedKey);
        await Wait.UntilAsync(
            "the tunnel's process is ready",
            StartDeadline,
            async () => process.HasExited ? throw new InvalidOperationException($"It ended: {process.Error}") : await IsReadyAsync(process),
            () => process.Error);
        await ConfigureAsync(other, endpoint, presharedKey);
        await Host.IpAsync($"addr add {Address4}/24 dev {Interface}");
        await Host.IpAsync($"addr add {Address6}/64 dev {Interface}");
        await Host.IpAsync($"link set {Interface} mtu {Mtu} up");
    }

    protected abstract Task<LabProcess> LaunchAsync(TunnelEnd other, string? endpoint, string? presharedKey);

    protected abstract Task<bool> IsReadyAsync(LabProcess process);

    protected virtual Task ConfigureAsync(TunnelEnd other, string? endpoint, string? presharedKey) => Task.CompletedTask;
}

/// <summary>Our engine, by itself.</summary>
internal sealed class EngineEnd(NetworkNamespace host, int number) : TunnelEnd(host, number)
{
    protected override Task<LabProcess> LaunchAsync(TunnelEnd other, string? endpoint, string? presharedKey)
    {
        var peer = new DevicePeerConfig(other.PublicKey, presharedKey, endpoint, [$"{other.Address4}/32", $"{other.Address6}/128"]);
        var config = new DeviceConfig(Interface, Mtu, PrivateKey, Port, [peer]);
        return Task.FromResult(Host.Start([Environment.ProcessPath!, DeviceHost.Verb], input: JsonSerializer.Serialize(config)));
    }

    protected override Task<bool> IsReadyAsync(LabProcess process) =>
        Task.FromResult(process.Output.Contains(DeviceHost.Ready, StringComparison.Ordinal));
}

/// <summary>Debian's wireguard-go, configured with Debian's wg.</summary>
internal sealed class WireGuardGoEnd(NetworkNamespace host, int number) : TunnelEnd(host, number)
{
    /// <summary>When the last handshake ended, in Unix seconds; 0 for never.</summary>
    public async Task<long> LastHandshakeAsync() =>
        long.Parse((await Host.RunAsync("wg", "show", Interface, "latest-handshakes")).Trim().Split('\t')[1]);

    protected override Task<LabProcess> LaunchAsync(TunnelEnd other, string? endpoint, string? presharedKey) =>
        Task.FromResult(Host.Start(
            ["wireguard-go", "-f", Interface],
            environment: new Dictionary<string, string?> { ["WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD"] = "1" }));

    protected override async Task<bool> IsReadyAsync(LabProcess process) =>
        (await Host.TryAsync(["wg", "show", Interface])).ExitCode == 0;

    protected override async Task ConfigureAsync(TunnelEnd other, string? endpoint, string? presharedKey)
    {
        var lines = new List<string>
        {
            "[Interface]", $"PrivateKey = {PrivateKey}", $"ListenPort = {Port}",
            "[Peer]", $"PublicKey = {other.PublicKey}", $"AllowedIPs = {other.Address4}/32, {other.Address6}/128",
        };
        if (endpoint is not null)
            lines.Add($"Endpoint = {endpoint}");
        if (presharedKey is not null)
            lines.Add($"PresharedKey = {presharedKey}");
        (await Host.TryAsync(["wg", "setconf", Interface, "/dev/stdin"], input: string.Join('\n', lines) + "\n")).Checked();
    }
}
