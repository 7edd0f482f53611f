using Mesh.Node.Kernel;
using Mesh.Node.Routes;
using Mesh.Node.Tun;

namespace Mesh.Node.Tests.Tun;

public class TunWatcherTests
{
    private const ushort LinkName = 3;
    private const ushort LinkNamespaceFd = 28;

    [Fact]
    public void Up_down_mtu_name_and_deletion_are_noticed() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = LinuxTunDevice.Open("mesh0");
        using var watcher = new TunWatcher(tun);
        using var client = new RouteClient();
        int index = client.FindLink("mesh0")!.Index;
        Assert.False(watcher.IsUp);
        Assert.Equal(TunChange.None, watcher.Read());

        client.SetUp(index, up: true);
        Assert.Equal(TunChange.UpOrDown, watcher.Read());
        Assert.True(watcher.IsUp);
        client.SetMtu(index, 1300);
        Assert.Equal(TunChange.Mtu, watcher.Read());
        Assert.Equal(1300, tun.Mtu);
        client.SetUp(index, up: false);
        Assert.Equal(TunChange.UpOrDown, watcher.Read());
        Configure(index, m => m.Add(LinkName, "other0"));
        Assert.Equal(TunChange.Name, watcher.Read());
        Assert.Equal("other0", tun.Name);

        LinuxTunDeviceTests.Delete("other0");
        Assert.Equal(TunChange.Gone, watcher.Read());
        Assert.Equal(TunChange.Gone, watcher.Read());
        using var poller = new Poller(1);
        poller.Watch(watcher.PollFd);
        Assert.True(poller.Wait(0));
    });

    [Fact]
    public void It_follows_the_interface_into_another_namespace() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = LinuxTunDevice.Open("mesh0");
        using var watcher = new TunWatcher(tun);
        using var client = new RouteClient();
        int index = client.FindLink("mesh0")!.Index;
        client.SetUp(index, up: true);
        watcher.Read();
        RouteClient? there = null;
        int space = -1;
        var other = new Thread(() =>
        {
            Libc.unshare(Libc.CLONE_NEWNET);
            space = Libc.open("/proc/thread-self/ns/net", Libc.O_CLOEXEC);
            there = new RouteClient();
        });
        other.Start();
        other.Join();

        Configure(index, m => m.Add(LinkNamespaceFd, (uint)space));
        Assert.Null(client.FindLink("mesh0"));
        // Moving it sets it down.
        Assert.Equal(TunChange.UpOrDown, watcher.Read());
        Assert.False(watcher.IsUp);

        int movedIndex = there!.FindLink("mesh0")!.Index;
        there.SetUp(movedIndex, up: true);
        there.SetMtu(movedIndex, 1333);
        using var poller = new Poller(1);
        poller.Watch(watcher.PollFd);
        Assert.True(poller.Wait(10_000));
        Assert.Equal(TunChange.UpOrDown | TunChange.Mtu, watcher.Read());
        Assert.Equal((true, 1333), (watcher.IsUp, tun.Mtu));
        there.Dispose();
        Assert.Equal(0, Libc.close(space));
    });

    private static void Configure(int index, Action<NetlinkMessage> add)
    {
        using var socket = new NetlinkSocket();
        NetlinkMessage message = NetlinkMessage.Create(
            NetlinkType.NewLink, NetlinkFlags.None, new LinkHeader { Index = index });
        add(message);
        socket.Request(message, $"configure link {index}");
    }
}
