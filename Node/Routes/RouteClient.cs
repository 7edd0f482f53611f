using System.Net;
using System.Net.Sockets;
using Mesh.Node.Kernel;
using Mesh.Node.Udp;

namespace Mesh.Node.Routes;

/// <summary>
/// Reads and changes the links, addresses and routes of the network namespace that it was made in (rtnetlink). Safe
/// from any thread. Every change can be repeated without harm; a failure says in words what was tried.
/// </summary>
public sealed class RouteClient : IDisposable
{
    private const byte MainTable = 254;
    private const byte UnicastRoute = 1;
    private const byte UniverseScope = 0;
    private const byte LinkScope = 253;
    private const string TunKind = "tun";

    private readonly Lock _gate = new();
    private readonly NetlinkSocket _socket = new();

    /// <summary>The link of that name; null when there is none.</summary>
    /// <exception cref="NetlinkException">The kernel refused; so for every method here.</exception>
    public Link? FindLink(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!InterfaceNames.IsValid(name))
            return null;
        NetlinkMessage message = NetlinkMessage.Create(NetlinkType.GetLink, NetlinkFlags.None, default(LinkHeader))
            .Add(NetlinkAttributes.LinkName, name);
        return QueryLink(message, $"read the link {name}");
    }

    /// <summary>The link of that number; null when there is none.</summary>
    public Link? FindLink(int index)
    {
        var header = new LinkHeader { Index = index };
        NetlinkMessage message = NetlinkMessage.Create(NetlinkType.GetLink, NetlinkFlags.None, header);
        return QueryLink(message, $"read link {index}");
    }

    /// <summary>All links.</summary>
    public IReadOnlyList<Link> ListLinks()
    {
        lock (_gate)
        {
            NetlinkMessage message = NetlinkMessage.Create(NetlinkType.GetLink, NetlinkFlags.Dump, default(LinkHeader));
            return _socket.Query(message, "list the links", Link.Parse);
        }
    }

    /// <summary>Sets a link up or down. Down removes its routes, and its IPv6 addresses.</summary>
    public void SetUp(int index, bool up)
    {
        var header = new LinkHeader
        {
            Index = index,
            Flags = up ? LinkFlags.Up : LinkFlags.None,
            Change = LinkFlags.Up,
        };
        Change(NetlinkMessage.Create(NetlinkType.NewLink, NetlinkFlags.None, header),
            $"set link {NameOf(index)} {(up ? "up" : "down")}");
    }

    /// <summary>Sets a link's MTU.</summary>
    public void SetMtu(int index, int mtu)
    {
        var header = new LinkHeader { Index = index };
        Change(NetlinkMessage.Create(NetlinkType.NewLink, NetlinkFlags.None, header)
                .Add(NetlinkAttributes.LinkMtu, (uint)mtu),
            $"set the MTU of link {NameOf(index)} to {mtu}");
    }

    /// <summary>
    /// Removes a TUN interface of that name which no process holds: a persistent one that a crash left behind. One in
    /// use, or of another kind, is left alone, and opening it will say why it can't be had.
    /// </summary>
    /// <returns>True when there was one.</returns>
    public bool DeleteStaleTun(string name)
    {
        if (FindLink(name) is not { Kind: TunKind, HasCarrier: false } link)
            return false;
        var header = new LinkHeader { Index = link.Index };
        lock (_gate)
        {
            NetlinkMessage message = NetlinkMessage.Create(NetlinkType.DeleteLink, NetlinkFlags.None, header);
            return _socket.TryRequest(message, $"delete the stale link {name}", Errno.ENODEV);
        }
    }

    /// <summary>The addresses of one link, or of all (0), in both families.</summary>
    public IReadOnlyList<LinkAddress> ListAddresses(int index = 0)
    {
        lock (_gate)
        {
            NetlinkMessage message =
                NetlinkMessage.Create(NetlinkType.GetAddress, NetlinkFlags.Dump, default(AddressHeader));
            List<LinkAddress> all = _socket.Query(message, "list the addresses", LinkAddress.Parse);
            return index == 0 ? all : all.FindAll(a => a.LinkIndex == index);
        }
    }

    /// <summary>
    /// Gives a link an address, usable at once (no duplicate address detection). The kernel adds a route to the
    /// prefix by itself, unless the prefix is the address alone.
    /// </summary>
    public void AddAddress(int index, IPAddress address, int prefixLength)
    {
        NetlinkMessage message = AddressMessage(
            NetlinkType.NewAddress, NetlinkFlags.Create | NetlinkFlags.Replace, index, address, prefixLength);
        Change(message.Add(NetlinkAttributes.AddressFlags, LinkAddress.NoDuplicateDetection),
            $"add the address {address}/{prefixLength} to link {NameOf(index)}");
    }

    /// <summary>Takes an address from a link.</summary>
    /// <returns>False when the link did not have it.</returns>
    public bool RemoveAddress(int index, IPAddress address, int prefixLength)
    {
        lock (_gate)
        {
            return _socket.TryRequest(
                AddressMessage(NetlinkType.DeleteAddress, NetlinkFlags.None, index, address, prefixLength),
                $"remove the address {address}/{prefixLength} from link {NameOf(index)}",
                Errno.EADDRNOTAVAIL);
        }
    }

    /// <summary>The routes that bear this program's mark, of one link or of all (0).</summary>
    public IReadOnlyList<DeviceRoute> ListRoutes(int index = 0)
    {
        lock (_gate)
        {
            NetlinkMessage message =
                NetlinkMessage.Create(NetlinkType.GetRoute, NetlinkFlags.Dump, default(RouteHeader));
            List<DeviceRoute> all = _socket.Query(message, "list the routes", DeviceRoute.Parse);
            return index == 0 ? all : all.FindAll(r => r.LinkIndex == index);
        }
    }

    /// <summary>Adds a route to the main table. The link must be up. A route of another program's is not replaced.
    /// </summary>
    /// <exception cref="NetlinkException">EEXIST: another program has a route for that prefix and metric.</exception>
    public void AddRoute(DeviceRoute route)
    {
        ArgumentNullException.ThrowIfNull(route);
        string operation = $"add the route {route.Prefix} through link {NameOf(route.LinkIndex)}";
        lock (_gate)
        {
            NetlinkMessage message = RouteMessage(
                NetlinkType.NewRoute, NetlinkFlags.Create | NetlinkFlags.Exclusive, route);
            if (_socket.TryRequest(message, operation, Errno.EEXIST))
                return;
        }
        foreach (DeviceRoute own in ListRoutes(route.LinkIndex))
        {
            if (own.Prefix.Equals(route.Prefix))
                return;
        }
        throw new NetlinkException(operation, Errno.EEXIST,
            $"Another program has a route for it: see \"ip route show {route.Prefix}\"");
    }

    /// <summary>Removes a route of this program's.</summary>
    /// <returns>False when it was not there, for instance because its link has gone.</returns>
    public bool RemoveRoute(DeviceRoute route)
    {
        ArgumentNullException.ThrowIfNull(route);
        lock (_gate)
        {
            return _socket.TryRequest(
                RouteMessage(NetlinkType.DeleteRoute, NetlinkFlags.None, route),
                $"remove the route {route.Prefix} through link {NameOf(route.LinkIndex)}",
                Errno.ESRCH);
        }
    }

    /// <summary>
    /// Removes the routes that bear this program's mark, of one link or of all (0): what a killed process left.
    /// </summary>
    /// <returns>How many there were.</returns>
    public int RemoveLeftoverRoutes(int index = 0)
    {
        int removed = 0;
        foreach (DeviceRoute route in ListRoutes(index))
        {
            if (RemoveRoute(route))
                removed++;
        }
        return removed;
    }

    /// <summary>The way the kernel would send to an endpoint now; null when there is none.</summary>
    /// <param name="destination">The remote end.</param>
    /// <param name="mark">The firewall mark it would bear.</param>
    /// <param name="fromSource">Whether to ask with the endpoint's sticky source as source address.</param>
    public RouteLookup? FindRoute(in UdpEndpoint destination, uint mark = 0, bool fromSource = false)
    {
        bool ipv4 = destination.Family == UdpFamily.IPv4;
        byte bits = (byte)(ipv4 ? 32 : 128);
        IPAddress? source = fromSource ? destination.ToSourceAddress() : null;
        var header = new RouteHeader
        {
            Family = (byte)(ipv4 ? Libc.AF_INET : Libc.AF_INET6),
            DestinationLength = bits,
            SourceLength = source is null ? (byte)0 : bits,
        };
        NetlinkMessage message = NetlinkMessage.Create(NetlinkType.GetRoute, NetlinkFlags.None, header)
            .Add(NetlinkAttributes.RouteDestination, destination.ToAddress());
        if (source is not null)
            message.Add(NetlinkAttributes.RouteSource, source);
        if (mark != 0)
            message.Add(NetlinkAttributes.RouteMark, mark);
        if (destination.ScopeId != 0)
            message.Add(NetlinkAttributes.RouteOutputLink, destination.ScopeId);
        lock (_gate)
        {
            List<RouteLookup> found = _socket.Query(
                message, "look up a route", RouteLookup.Parse,
                Errno.ENETUNREACH, Errno.EHOSTUNREACH, Errno.EINVAL, Errno.ENODEV, Errno.EACCES);
            return found.Count > 0 && found[0].LinkIndex != 0 ? found[0] : null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
            _socket.Dispose();
    }

    private static NetlinkMessage AddressMessage(
        NetlinkType type, NetlinkFlags flags, int index, IPAddress address, int prefixLength)
    {
        ArgumentNullException.ThrowIfNull(address);
        var header = new AddressHeader
        {
            Family = FamilyOf(address),
            PrefixLength = (byte)prefixLength,
            Index = index,
        };
        return NetlinkMessage.Create(type, flags, header)
            .Add(NetlinkAttributes.AddressLocal, address)
            .Add(NetlinkAttributes.AddressAddress, address);
    }

    private static NetlinkMessage RouteMessage(NetlinkType type, NetlinkFlags flags, DeviceRoute route)
    {
        byte family = FamilyOf(route.Prefix.BaseAddress);
        var header = new RouteHeader
        {
            Family = family,
            DestinationLength = (byte)route.Prefix.PrefixLength,
            Table = MainTable,
            Protocol = DeviceRoute.Protocol,
            Scope = family == Libc.AF_INET ? LinkScope : UniverseScope,
            Type = UnicastRoute,
        };
        NetlinkMessage message = NetlinkMessage.Create(type, flags, header)
            .Add(NetlinkAttributes.RouteDestination, route.Prefix.BaseAddress)
            .Add(NetlinkAttributes.RouteOutputLink, (uint)route.LinkIndex);
        return route.Metric == 0 ? message : message.Add(NetlinkAttributes.RoutePriority, route.Metric);
    }

    private static byte FamilyOf(IPAddress address) =>
        (byte)(address.AddressFamily == AddressFamily.InterNetwork ? Libc.AF_INET : Libc.AF_INET6);

    private static string NameOf(int index) => InterfaceNames.NameOf(index) ?? $"number {index}";

    private Link? QueryLink(NetlinkMessage message, string operation)
    {
        lock (_gate)
        {
            List<Link> found = _socket.Query(message, operation, Link.Parse, Errno.ENODEV);
            return found.Count > 0 ? found[0] : null;
        }
    }

    private void Change(NetlinkMessage message, string operation)
    {
        lock (_gate)
            _socket.Request(message, operation);
    }
}
