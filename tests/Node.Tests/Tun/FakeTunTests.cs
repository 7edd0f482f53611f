using Mesh.Node.Kernel;
using Mesh.Node.Tun;

namespace Mesh.Node.Tests.Tun;

public class FakeTunTests
{
    [Fact]
    public void Packets_pass_in_order_both_ways()
    {
        using var tun = new FakeTun();
        byte[] room = new byte[64];

        Assert.Equal(0, tun.Read(room));
        tun.Inject([1, 2]);
        tun.Inject([3]);
        Assert.Equal(2, tun.Read(room));
        Assert.Equal([1, 2], room[..2]);
        Assert.Equal(1, tun.Read(room));
        Assert.True(tun.Write([4]));
        Assert.True(tun.TryTake(room, out int length));
        Assert.Equal((1, 4), (length, room[0]));
        Assert.False(tun.TryTake(room, out _));
    }

    [Fact]
    public void A_full_queue_drops_and_the_descriptor_is_readable_while_packets_wait()
    {
        using var tun = new FakeTun(capacity: 2);
        using var poller = new Poller(1);
        poller.Watch(tun.PollFd);

        Assert.False(poller.Wait(0));
        Assert.True(tun.Inject([1]) && tun.Inject([2]));
        Assert.False(tun.Inject([3]));
        Assert.True(poller.Wait(0));
        Assert.Equal(1, tun.Read(new byte[8]) & tun.Read(new byte[8]));
        Assert.False(poller.Wait(0));
        Assert.True(tun.Write([1]) && tun.Write([2]));
        Assert.False(tun.Write([3]));
    }

    [Fact]
    public void A_removed_interface_wakes_its_reader_and_throws_gone()
    {
        using var tun = new FakeTun();
        using var poller = new Poller(1);
        poller.Watch(tun.PollFd);
        tun.Remove();

        Assert.True(poller.Wait(-1));
        Assert.Equal(TunFailure.Gone, Assert.Throws<TunException>(() => tun.Read(new byte[8])).Failure);
        Assert.Equal(TunFailure.Gone, Assert.Throws<TunException>(() => tun.Write([1])).Failure);
    }

    [Fact]
    public void A_warm_fake_allocates_nothing()
    {
        using var tun = new FakeTun(capacity: 16);
        byte[] packet = new byte[1420];
        Assert.Equal(0, Allocation.Measure(10_000, _ =>
        {
            tun.Inject(packet);
            tun.Read(packet);
            tun.Write(packet);
            tun.TryTake(packet, out int _);
        }));
    }
}
