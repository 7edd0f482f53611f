using System.Globalization;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Wg;

/// <summary>Who makes the interface.</summary>
public enum Implementation
{
    /// <summary><c>mesh wg</c>.</summary>
    Mesh,

    /// <summary>wireguard-go: Debian's, or the one that WIREGUARD_GO names.</summary>
    WireGuardGo,
}

/// <summary>One WireGuard interface of either implementation, driven by Debian's wg, with addresses 10.88.0.N and fd88::N inside.</summary>
internal sealed class WgDevice
{
    public const int Port = 51820;

    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(20);
    private static int Interfaces;

    private readonly string[] _options;

    private WgDevice(NetworkNamespace host, Implementation implementation, int number, string name, string[] options) =>
        (Host, Implementation, Number, Interface, _options) = (host, implementation, number, name, options);

    public NetworkNamespace Host { get; }

    public Implementation Implementation { get; }

    public int Number { get; }

    /// <summary>Unique in the sandbox: the configuration sockets are named after it, for all namespaces.</summary>
    public string Interface { get; }

    public string SocketPath => $"/var/run/wireguard/{Interface}.sock";

    public string Address4 => $"10.88.0.{Number}";

    public string Address6 => $"fd88::{Number}";

    public string PrivateKey { get; private set; } = "";

    public string PublicKey { get; private set; } = "";

    /// <summary>The daemon in the foreground; null when it was started in the background.</summary>
    public LabProcess? Process { get; private set; }

    /// <summary>The command that makes an interface and stays in the foreground.</summary>
    public static string[] Command(Implementation implementation, string name) => implementation == Implementation.Mesh
        ? [Repository.Program("mesh"), "wg", "--foreground", name]
        : [Environment.GetEnvironmentVariable("WIREGUARD_GO") ?? "wireguard-go", "-f", name];

    /// <summary>Makes the interface, still down and without keys.</summary>
    /// <param name="options">For <c>mesh wg</c>.</param>
    public static async Task<WgDevice> CreateAsync(NetworkNamespace host, Implementation implementation, int number = 1, params string[] options)
    {
        var device = new WgDevice(host, implementation, number, $"wgt{Interlocked.Increment(ref Interfaces)}",
            implementation == Implementation.Mesh ? options : []);
        device.PrivateKey = await NewKeyAsync();
        device.PublicKey = await PublicOfAsync(device.PrivateKey);
        await device.LaunchAsync();
        return device;
    }

    public static async Task<string> NewKeyAsync() => (await NetworkLab.RunAsync("wg", "genkey")).Trim();

    public static async Task<string> PublicOfAsync(string privateKey)
    {
        await using var process = LabProcess.Start(["wg", "pubkey"], input: privateKey);
        return (await process.WaitForExitAsync(StartDeadline)).Checked().Output.Trim();
    }

    public async Task LaunchAsync()
    {
        // Both `wg` and wireguard-go take a dead device's socket away, and wireguard-go ends if `wg` did it first.
        if (Implementation == Implementation.WireGuardGo) File.Delete($"/var/run/wireguard/{Interface}.sock");
        Process = Host.Start([.. Command(Implementation, Interface), .. _options],
            environment: new Dictionary<string, string?> { ["WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD"] = "1" });
        await Wait.UntilAsync($"{Interface} answers", StartDeadline,
            async () => Process.HasExited ? throw new InvalidOperationException($"It ended: {Process.Output} {Process.Error}") : (await Host.TryAsync(["wg", "show", Interface])).ExitCode == 0,
            () => Process.Error);
    }

    /// <summary>Sets key, port and one peer, adds the addresses and brings the interface up.</summary>
    /// <param name="endpoint">Where the other is; null to wait for it.</param>
    public async Task UpAsync(WgDevice other, string? endpoint = null, string? presharedKey = null, int keepalive = 0, int mtu = 1420)
    {
        await SetConfAsync(other, endpoint, presharedKey, keepalive);
        await Host.IpAsync($"addr add {Address4}/24 dev {Interface}");
        await Host.IpAsync($"link set {Interface} mtu {mtu} up");
        if (mtu >= 1280) await Host.IpAsync($"addr add {Address6}/64 dev {Interface}");
    }

    public async Task SetConfAsync(WgDevice other, string? endpoint = null, string? presharedKey = null, int keepalive = 0)
    {
        var lines = new List<string>
        {
            "[Interface]", $"PrivateKey = {PrivateKey}", $"ListenPort = {Port}",
            "[Peer]", $"PublicKey = {other.PublicKey}", $"AllowedIPs = {other.Address4}/32, {other.Address6}/128",
        };
        if (endpoint is not null) lines.Add($"Endpoint = {endpoint}");
        if (presharedKey is not null) lines.Add($"PresharedKey = {presharedKey}");
        if (keepalive > 0) lines.Add($"PersistentKeepalive = {keepalive}");
        (await Host.TryAsync(["wg", "setconf", Interface, "/dev/stdin"], input: string.Join('\n', lines) + "\n")).Checked();
    }

    public Task<string> SetAsync(params string[] settings) => Host.RunAsync(["wg", "set", Interface, .. settings]);

    /// <summary><c>wg show IFACE WHAT</c>: the value of the only peer, or of the interface.</summary>
    public async Task<string> ShowAsync(string what) => (await Host.RunAsync("wg", "show", Interface, what)).Trim().Split('\t', 2)[^1];

    public async Task<(long Rx, long Tx)> TransferAsync()
    {
        string[] values = (await ShowAsync("transfer")).Split('\t');
        return (long.Parse(values[0], CultureInfo.InvariantCulture), long.Parse(values[1], CultureInfo.InvariantCulture));
    }

    /// <summary>When the last handshake ended, in Unix seconds; 0 for never.</summary>
    public async Task<long> LastHandshakeAsync() => long.Parse(await ShowAsync("latest-handshakes"), CultureInfo.InvariantCulture);
}
