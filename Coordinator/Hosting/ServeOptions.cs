using System.Net;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Hosting;

/// <summary>What serve was asked to do.</summary>
internal sealed record ServeOptions
{
    public required string StateDirectory { get; init; }

    /// <summary>Where the node API listens; port 0 takes any.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>Where the admin API listens beside its socket; null for nowhere.</summary>
    public IPEndPoint? AdminListen { get; init; }

    /// <summary>HOST:PORT that join links carry; null for the address listened on.</summary>
    public string? PublicHost { get; init; }

    /// <summary>
    /// Requests (polls apart) and, apart from them, TLS handshakes that one source address may make a second; four times as
    /// many at once. IPv6 counts by /64.
    /// </summary>
    public int RequestsPerSecondPerAddress { get; init; } = ControlLimits.RequestsPerSecondPerAddress;

    /// <summary>Connections held at once; a further one is closed unanswered.</summary>
    public int MaxConnections { get; init; } = 100_000;
}
