using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mesh.Node.Routes;

/// <summary>A route of this program's: a prefix that goes out through an interface, without a gateway.</summary>
/// <param name="Prefix">The destinations.</param>
/// <param name="LinkIndex">The interface's number.</param>
/// <param name="Metric">The priority, less is better; 0 is the kernel's default (which is 1024 for IPv6).</param>
public sealed record DeviceRoute(IPNetwork Prefix, int LinkIndex, uint Metric = 0)
{
    /// <summary>
    /// The route protocol number that marks this program's routes ("ip route show proto 77"). It is outside of what
    /// rtnetlink.h and the routing daemons have taken.
    /// </summary>
    public const byte Protocol = 77;

    /// <summary>Reads RTM_NEWROUTE of a route that bears <see cref="Protocol"/>; null for anything else.</summary>
    internal static DeviceRoute? Parse(NetlinkType type, ReadOnlySpan<byte> payload)
    {
        if (type != NetlinkType.NewRoute || payload.Length < Unsafe.SizeOf<RouteHeader>())
            return null;
        RouteHeader header = MemoryMarshal.Read<RouteHeader>(payload);
        if (header.Protocol != Protocol)
            return null;
        IPAddress destination = header.Family == (byte)Kernel.Libc.AF_INET ? IPAddress.Any : IPAddress.IPv6Any;
        int link = 0;
        uint metric = 0;
        var reader = new NetlinkAttributeReader(payload[Unsafe.SizeOf<RouteHeader>()..]);
        while (reader.MoveNext())
        {
            switch (reader.Type)
            {
                case NetlinkAttributes.RouteDestination:
                    destination = reader.Address ?? destination;
                    break;
                case NetlinkAttributes.RouteOutputLink:
                    link = (int)reader.UInt32;
                    break;
                case NetlinkAttributes.RoutePriority:
                    metric = reader.UInt32;
                    break;
            }
        }
        int longest = destination.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        return header.DestinationLength <= longest
            ? new DeviceRoute(new IPNetwork(destination, header.DestinationLength), link, metric)
            : null;
    }
}
