using System.Net;
using Mesh.Node.Kernel;
using Mesh.Node.Routes;
using Mesh.Node.Tun;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Routes;

public class RouteClientTests
{
    private static readonly IPAddress Address4 = IPAddress.Parse("100.64.0.7");
    private static readonly IPAddress Address6 = IPAddress.Parse("fd00:1234::7");

    [Fact]
    public void A_link_is_found_by_name_and_number_and_an_unknown_one_is_not() => NetworkNamespace.Run(() =>
    {
        using var client = new RouteClient();

        Link? lo = client.FindLink("lo");

        Assert.Equal(new Link(1, "lo", 65536, false, true, true, null), lo! with { HasCarrier = true });
        Assert.Equal(lo, client.FindLink(1));
        Assert.Equal([lo], client.ListLinks().Where(l => l.IsLoopback));
        Assert.Null(client.FindLink("nosuch"));
        Assert.Null(client.FindLink("a name no link can have"));
        Assert.Null(client.FindLink(4711));
    });

    [Fact]
    public void A_link_goes_up_and_down_and_changes_its_mtu() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = LinuxTunDevice.Open("mesh%d", 1280);
        using var client = new RouteClient();
        Link link = client.FindLink(tun.Name)!;
        Assert.Equal(("mesh0", 1280, false, "tun", true), (link.Name, link.Mtu, link.IsUp, link.Kind, link.HasCarrier));

        client.SetUp(link.Index, up: true);
        client.SetMtu(link.Index, 1420);
        Assert.True(client.FindLink(link.Index) is { IsUp: true, Mtu: 1420 });
        client.SetUp(link.Index, up: false);
        Assert.False(client.FindLink(link.Index)!.IsUp);
    });

    [Fact]
    public void Addresses_of_both_families_are_added_once_listed_and_removed() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = LinuxTunDevice.Open("mesh0");
        using var client = new RouteClient();
        int index = client.FindLink("mesh0")!.Index;
        client.SetUp(index, up: true);

        for (int again = 0; again < 2; again++)
        {
            client.AddAddress(index, Address4, 32);
            client.AddAddress(index, Address6, 128);
        }

        // Usable at once: no duplicate address detection delays it.
        Assert.Equal(
            [new LinkAddress(index, Address4, 32, true), new LinkAddress(index, Address6, 128, true)],
            client.ListAddresses(index).Where(a => !a.IsLinkLocal));
        Assert.True(client.RemoveAddress(index, Address4, 32));
        Assert.False(client.RemoveAddress(index, Address4, 32));
        Assert.True(client.RemoveAddress(index, Address6, 128));
        Assert.False(client.RemoveAddress(index, Address6, 128));
        Assert.DoesNotContain(client.ListAddresses(index), a => !a.IsLinkLocal);
    });

    [Fact]
    public void Routes_bear_our_mark_and_a_later_start_finds_and_removes_them() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = LinuxTunDevice.Open("mesh0");
        using var client = new RouteClient();
        int index = client.FindLink("mesh0")!.Index;
        client.SetUp(index, up: true);
        DeviceRoute route4 = new(IPNetwork.Parse("100.64.0.0/10"), index);
        DeviceRoute route6 = new(IPNetwork.Parse("fd00:1234::/48"), index, 1024);
        DeviceRoute default6 = new(IPNetwork.Parse("::/0"), index, 50);

        foreach (DeviceRoute route in (DeviceRoute[])[route4, route6, default6, route4, route6])
            client.AddRoute(route);

        using var later = new RouteClient();
        Assert.Equal(
            [route4, default6, route6], later.ListRoutes(index).OrderBy(r => r.Metric));
        Assert.Equal(3, later.RemoveLeftoverRoutes());
        Assert.Empty(later.ListRoutes());
        Assert.False(later.RemoveRoute(route4));
    });

    [Fact]
    public void A_route_of_another_programs_is_neither_replaced_nor_removed() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice first = LinuxTunDevice.Open("mesh0");
        using LinuxTunDevice second = LinuxTunDevice.Open("mesh1");
        using var client = new RouteClient();
        int index0 = client.FindLink("mesh0")!.Index;
        int index1 = client.FindLink("mesh1")!.Index;
        client.SetUp(index0, up: true);
        client.SetUp(index1, up: true);
        // The kernel's own prefix route stands for another program's.
        client.AddAddress(index0, IPAddress.Parse("10.9.0.1"), 24);
        DeviceRoute route = new(IPNetwork.Parse("10.9.0.0/24"), index1);

        NetlinkException e = Assert.Throws<NetlinkException>(() => client.AddRoute(route));

        Assert.Equal(Errno.EEXIST, e.Errno);
        Assert.Contains("cannot add the route 10.9.0.0/24 through link mesh1", e.Message, StringComparison.Ordinal);
        Assert.False(client.RemoveRoute(route));
        Assert.Equal(0, client.RemoveLeftoverRoutes());
        Assert.Equal(index0, client.FindRoute(UdpEndpoint.Parse("10.9.0.2:1"))!.LinkIndex);
    });

    [Fact]
    public void A_route_lookup_names_the_link_and_source_or_nothing() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = LinuxTunDevice.Open("mesh0");
        using var client = new RouteClient();
        int index = client.FindLink("mesh0")!.Index;
        client.SetUp(index, up: true);
        client.AddAddress(index, Address4, 10);
        client.AddAddress(index, Address6, 64);
        UdpEndpoint peer4 = UdpEndpoint.Parse("100.64.0.8:1");

        Assert.Equal(new RouteLookup(index, Address4), client.FindRoute(peer4));
        Assert.Equal(new RouteLookup(index, Address6), client.FindRoute(UdpEndpoint.Parse("[fd00:1234::8]:1"), 7));
        Assert.Equal(index, client.FindRoute(peer4.WithSource(0, 0x64400007, index), fromSource: true)!.LinkIndex);
        Assert.Null(client.FindRoute(peer4.WithSource(0, 0x01020304, index), fromSource: true));
        Assert.Null(client.FindRoute(UdpEndpoint.Parse("192.0.2.1:1")));
        Assert.Null(client.FindRoute(UdpEndpoint.Parse("[2001:db8::1]:1")));
    });

    [Fact]
    public void A_failure_says_what_was_tried_and_why() => NetworkNamespace.Run(() =>
    {
        using var client = new RouteClient();

        NetlinkException e = Assert.Throws<NetlinkException>(() => client.SetMtu(4711, 1280));

        Assert.True(e.IsNoSuchLink);
        Assert.StartsWith(
            "cannot set the MTU of link number 4711 to 1280: No such device", e.Message, StringComparison.Ordinal);
    });

    [Fact]
    public void Only_a_tun_that_nobody_holds_is_stale() => NetworkNamespace.RunWithTun(() =>
    {
        using var client = new RouteClient();
        using (LinuxTunDevice held = LinuxTunDevice.Open("mesh0"))
        {
            Assert.False(client.DeleteStaleTun("mesh0"));
            MakePersistent(held);
        }

        Assert.NotNull(client.FindLink("mesh0"));
        Assert.True(client.DeleteStaleTun("mesh0"));
        Assert.Null(client.FindLink("mesh0"));
        Assert.False(client.DeleteStaleTun("mesh0"));
        Assert.False(client.DeleteStaleTun("lo"));
    });

    [Fact]
    public void Local_endpoints_leave_out_loopback_link_local_down_links_and_the_mesh() =>
        NetworkNamespace.RunWithTun(() =>
        {
            using LinuxTunDevice mesh = LinuxTunDevice.Open("mesh0");
            using LinuxTunDevice lan = LinuxTunDevice.Open("lan0");
            using LinuxTunDevice down = LinuxTunDevice.Open("down0");
            using var client = new RouteClient();
            int index = client.FindLink("mesh0")!.Index;
            foreach (string name in (string[])["lo", "mesh0", "lan0"])
                client.SetUp(client.FindLink(name)!.Index, up: true);
            int lanIndex = client.FindLink("lan0")!.Index;
            client.AddAddress(index, Address4, 32);
            client.AddAddress(lanIndex, IPAddress.Parse("2001:db8::5"), 64);
            client.AddAddress(lanIndex, IPAddress.Parse("169.254.3.4"), 16);
            client.AddAddress(lanIndex, IPAddress.Parse("192.0.2.5"), 24);
            client.AddAddress(client.FindLink("down0")!.Index, IPAddress.Parse("192.0.2.99"), 24);

            Assert.Equal(
                [IPAddress.Parse("192.0.2.5"), IPAddress.Parse("2001:db8::5")], LocalEndpoints.List(client, index));
        });

    [Fact]
    public void Changes_are_heard_by_kind() => NetworkNamespace.RunWithTun(() =>
    {
        using var changes = new NetworkChanges();
        using var client = new RouteClient();
        using var poller = new Poller(1);
        poller.Watch(changes.PollFd);
        Assert.Equal(NetworkChange.None, changes.Read());

        using LinuxTunDevice tun = LinuxTunDevice.Open("mesh0");
        Assert.True(poller.Wait(10_000));
        Assert.Equal(NetworkChange.Links, changes.Read());
        int index = client.FindLink("mesh0")!.Index;
        client.AddAddress(index, Address4, 32);
        // An address brings its local route, even on a link that is down.
        Assert.Equal(NetworkChange.Addresses | NetworkChange.Routes, changes.Read());
        // Once it is up, the kernel adds addresses and routes of its own at its own time.
        client.SetUp(index, up: true);
        Assert.True(changes.Read().HasFlag(NetworkChange.Links));
        client.AddRoute(new DeviceRoute(IPNetwork.Parse("100.64.0.0/10"), index));
        Assert.True(changes.Read().HasFlag(NetworkChange.Routes));
    });

    private static unsafe void MakePersistent(LinuxTunDevice tun)
    {
        const nuint TunSetPersist = 0x400454cb;
        Assert.Equal(0, Libc.ioctl(tun.PollFd, TunSetPersist, (void*)1));
    }
}
