using Mesh.Node.Kernel;

namespace Mesh.Node.Tests.Kernel;

public class PollerTests
{
    [Fact]
    public void The_native_layouts_fit_this_kernel() => LayoutCheck.Run();

    [Fact]
    public void A_wake_before_the_wait_is_not_lost_and_counts_once()
    {
        using var poller = new Poller(0);
        poller.Wake();
        poller.Wake();

        Assert.True(poller.Wait(-1));
        Assert.True(poller.WasWoken);
        Assert.False(poller.Wait(0));
        Assert.False(poller.WasWoken);
    }

    [Fact]
    public void A_wake_from_another_thread_ends_a_wait_without_a_timeout()
    {
        using var poller = new Poller(1);
        poller.Watch(-1);
        var thread = new Thread(poller.Wake);
        thread.Start();

        Assert.True(poller.Wait(-1));
        thread.Join();
    }

    [Fact]
    public void Only_the_slot_that_is_readable_is_ready()
    {
        using var poller = new Poller(3);
        using var set = new EventFlag();
        using var unset = new EventFlag();
        int none = poller.Watch(-1);
        int quiet = poller.Watch(unset.Fd);
        int ready = poller.Watch(set.Fd);
        set.Set();

        Assert.True(poller.Wait(-1));
        Assert.Equal((false, false, true), (poller.IsReady(none), poller.IsReady(quiet), poller.IsReady(ready)));
        poller.Change(ready, unset.Fd);
        Assert.False(poller.Wait(0));
        Assert.Throws<InvalidOperationException>(() => poller.Watch(1));
    }

    [Fact]
    public void Waiting_allocates_nothing()
    {
        using var poller = new Poller(1);
        Assert.Equal(0, Allocation.Measure(10_000, _ =>
        {
            poller.Wake();
            poller.Wait(-1);
        }));
    }
}
