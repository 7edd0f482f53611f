using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Wg;
using Mesh.Node.Offload;
using Mesh.Node.Device;
using Mesh.Node.Wg;

namespace Mesh.EndToEnd.Soak;

/// <summary>One end of the tunnel: the product's own interface in this process, on a clock of its own, driven by wg(8).</summary>
internal sealed class SoakEnd(NetworkNamespace host, string name, int number, int queues, TimeProvider clock, string privateKey)
{
    private const int Port = 51820;

    private WireGuardInterface? _interface;

    public NetworkNamespace Host => host;

    public string Address => AddressOf(number);

    public WireGuardDevice Device => _interface!.Device;

    /// <summary>Set by a defect of the engine.</summary>
    public Task Completion => _interface!.Completion;

    public static string AddressOf(int number) => $"10.88.0.{number}";

    public static string UnderlayOf(int number) => $"10.99.0.{number}";

    public async Task StartAsync(string otherKey)
    {
        _interface = host.Inside(() => WireGuardInterface.Open(name, OffloadSet.All, queues, clock, _ => { }));
        string settings = $"""
            [Interface]
            PrivateKey = {privateKey}
            ListenPort = {Port}
            [Peer]
            PublicKey = {await WgDevice.PublicOfAsync(otherKey)}
            AllowedIPs = {AddressOf(3 - number)}/32
            Endpoint = {UnderlayOf(3 - number)}:{Port}

            """;
        (await host.TryAsync(["wg", "setconf", name, "/dev/stdin"], settings)).Checked();
        await host.IpAsync($"addr add {Address}/24 dev {name}");
        await host.IpAsync($"link set {name} up");
    }

    /// <summary>Moves to another port, which the other end learns from the next packet.</summary>
    public Task RoamAsync(int port) => host.RunAsync("wg", "set", name, "listen-port", $"{port}");

    /// <summary>Ends as a process does that is told to: the interface goes with it.</summary>
    public void Stop()
    {
        _interface?.Dispose();
        _interface = null;
    }
}
