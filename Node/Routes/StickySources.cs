using Mesh.Node.Device;
using Mesh.Node.Udp;

namespace Mesh.Node.Routes;

/// <summary>
/// Answers leave from the address that was written to; but when the host's routes change so that a packet from there would
/// leave by another interface than the peer's packets come in by, that address is let go, and the routing picks one again.
/// </summary>
internal static class StickySources
{
    /// <summary>To be called after routes, rules or addresses changed, in the network namespace of the device's sockets.</summary>
    /// <param name="mark">The firewall mark of the device's packets.</param>
    public static void Follow(WireGuardDevice device, RouteClient routes, uint mark)
    {
        foreach (Peer peer in device.Peers)
        {
            if (peer.Endpoint is not { HasSource: true } endpoint || endpoint.SourceInterface == 0) continue;
            if (routes.FindRoute(endpoint, mark, fromSource: true)?.LinkIndex != endpoint.SourceInterface) peer.ForgetSource();
        }
    }
}
