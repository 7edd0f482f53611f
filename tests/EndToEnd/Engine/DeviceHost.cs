using System.Runtime.InteropServices;
using System.Text.Json;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Tun;
using Mesh.Node.Udp;

namespace Mesh.EndToEnd.Engine;

/// <summary>A device that <see cref="DeviceHost"/> runs. Keys are base64, as WireGuard's tools write them.</summary>
internal sealed record DeviceConfig(string Interface, int Mtu, string PrivateKey, int ListenPort, IReadOnlyList<DevicePeerConfig> Peers);

/// <param name="Endpoint">"192.0.2.1:51820", or null: the peer has to come to us.</param>
internal sealed record DevicePeerConfig(
    string PublicKey, string? PresharedKey, string? Endpoint, IReadOnlyList<string> AllowedIps, int KeepaliveSeconds = 0);

/// <summary>
/// Runs the engine alone, without a daemon around it, as a process in a host of the lab: takes a <see cref="DeviceConfig"/> as JSON
/// on standard input, says <see cref="Ready"/>, and runs until SIGTERM.
/// </summary>
internal static class DeviceHost
{
    /// <summary>The argument of the test program that starts it.</summary>
    public const string Verb = "device";

    public const string Ready = "ready";

    public static async Task<int> MainAsync()
    {
        var config = JsonSerializer.Deserialize<DeviceConfig>(await Console.In.ReadToEndAsync())!;
        using var tun = LinuxTunDevice.Open(config.Interface, config.Mtu);
        using var udp = LinuxUdpTransport.Open(config.ListenPort);
        using var device = new WireGuardDevice(new DeviceOptions(tun, udp, TimeProvider.System, new InitiationClock(TimeProvider.System)));
        device.SetKeys(new X25519PrivateKey(Convert.FromBase64String(config.PrivateKey)));
        foreach (var (index, wanted) in config.Peers.Index())
            AddPeer(device, (ulong)index + 1, wanted);

        using var runner = new DeviceRunner(device, tun, udp);
        var end = new TaskCompletionSource();
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            end.TrySetResult();
        });
        Console.WriteLine(Ready);
        await await Task.WhenAny(end.Task, runner.Completion);
        return 0;
    }

    private static void AddPeer(WireGuardDevice device, ulong id, DevicePeerConfig wanted)
    {
        if (!X25519PublicKey.TryParse(wanted.PublicKey, out var key) || device.SetPeer(id, key) is not { } peer)
            throw new ArgumentException($"Not a key for a peer: {wanted.PublicKey}");
        foreach (var prefix in wanted.AllowedIps)
        {
            if (!IpPrefix.TryParse(prefix, out var parsed))
                throw new ArgumentException($"Not a prefix: {prefix}");
            device.AllowedIps.Set(parsed, peer);
        }

        if (wanted.PresharedKey is { } presharedKey)
            device.SetPresharedKey(peer, new PresharedKey(Convert.FromBase64String(presharedKey)));
        if (wanted.Endpoint is { } endpoint)
            device.SetEndpoint(peer, UdpEndpoint.Parse(endpoint));
        if (wanted.KeepaliveSeconds > 0)
            device.SetPersistentKeepalive(peer, TimeSpan.FromSeconds(wanted.KeepaliveSeconds));
    }
}
