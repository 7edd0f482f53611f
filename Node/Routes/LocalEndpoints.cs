using System.Net;

namespace Mesh.Node.Routes;

/// <summary>Which of this host's addresses peers may reach it at.</summary>
public static class LocalEndpoints
{
    /// <summary>
    /// The usable addresses of links that are up, without loopback, link-local ones (another host cannot know the
    /// scope) and those of the links to leave out. IPv4 first, else in the kernel's order; each address once.
    /// </summary>
    /// <param name="client">Asks the kernel.</param>
    /// <param name="exceptLinks">The numbers of the links to leave out: the mesh's own TUN interfaces.</param>
    public static IReadOnlyList<IPAddress> List(RouteClient client, params ReadOnlySpan<int> exceptLinks)
    {
        ArgumentNullException.ThrowIfNull(client);
        var links = new HashSet<int>();
        foreach (Link link in client.ListLinks())
        {
            if (link is { IsUp: true, IsLoopback: false } && !exceptLinks.Contains(link.Index))
                links.Add(link.Index);
        }
        return [.. client.ListAddresses()
            .Where(a => links.Contains(a.LinkIndex) && a.IsUsable && !a.IsLinkLocal
                && !IPAddress.IsLoopback(a.Address))
            .Select(a => a.Address)
            .Distinct()
            .OrderBy(a => a.AddressFamily)];
    }
}
