namespace Mesh.Node.Daemon;

/// <summary>What <c>mesh daemon</c> was started with.</summary>
/// <param name="ListenPort">Null: <see cref="PreferredPort"/>, or any when that is taken.</param>
/// <param name="Queues">Of the tunnel's interface and sockets.</param>
internal sealed record DaemonOptions(string StateDirectory, string SocketPath, string InterfaceName, int? ListenPort, int Queues)
{
    public const string DefaultStateDirectory = "/var/lib/mesh";
    public const string DefaultSocketPath = "/run/mesh/mesh.sock";
    public const string DefaultInterfaceName = "mesh0";
    public const int PreferredPort = 51820;
}
