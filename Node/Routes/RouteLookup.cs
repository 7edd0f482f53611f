using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mesh.Node.Routes;

/// <summary>The way that the kernel would send a packet now.</summary>
/// <param name="LinkIndex">The interface it would leave by.</param>
/// <param name="Source">The source address it would get, or null when the kernel does not say.</param>
public sealed record RouteLookup(int LinkIndex, IPAddress? Source)
{
    /// <summary>Reads RTM_NEWROUTE; null for anything else.</summary>
    internal static RouteLookup? Parse(NetlinkType type, ReadOnlySpan<byte> payload)
    {
        if (type != NetlinkType.NewRoute || payload.Length < Unsafe.SizeOf<RouteHeader>())
            return null;
        int link = 0;
        IPAddress? source = null;
        var reader = new NetlinkAttributeReader(payload[Unsafe.SizeOf<RouteHeader>()..]);
        while (reader.MoveNext())
        {
            if (reader.Type == NetlinkAttributes.RouteOutputLink)
                link = (int)reader.UInt32;
            else if (reader.Type == NetlinkAttributes.RoutePreferredSource)
                source = reader.Address;
        }
        return new RouteLookup(link, source);
    }
}
