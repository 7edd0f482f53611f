using System.Net;
using Mesh.Node.Udp;
using Mesh.Protocol.Control;

namespace Mesh.Node.Paths;

/// <summary>What this node tells others about where it is.</summary>
internal static class OwnEndpoints
{
    /// <summary>
    /// Candidates, best first, each once: what the operator gave, the addresses of this host's interfaces, and the address
    /// that the coordinator sees with our port (right where a NAT keeps ports, or there is none).
    /// </summary>
    /// <param name="local">Addresses of this host, without loopback, link-local and the tunnel's own.</param>
    /// <param name="observed">What the coordinator sees us come from; its port is of another socket.</param>
    public static IReadOnlyList<(UdpEndpoint Endpoint, EndpointSource Source)> Collect(
        IEnumerable<UdpEndpoint> given, IEnumerable<IPAddress> local, IPAddress? observed, int listenPort)
    {
        var all = new List<(UdpEndpoint Endpoint, EndpointSource Source)>();
        all.AddRange(given.Select(endpoint => (endpoint, EndpointSource.Static)));
        all.AddRange(local.Select(address => (UdpEndpoint.From(address, listenPort), EndpointSource.Local)));
        if (observed is not null && !IPAddress.IsLoopback(observed)) all.Add((UdpEndpoint.From(observed, listenPort), EndpointSource.Observed));
        return [.. all.DistinctBy(candidate => candidate.Endpoint).Take(ControlLimits.EndpointsPerNode)];
    }
}
