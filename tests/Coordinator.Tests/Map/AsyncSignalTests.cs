using Mesh.Coordinator.Map;

namespace Mesh.Coordinator.Tests.Map;

public sealed class AsyncSignalTests
{
    [Fact]
    public async Task A_signal_before_the_wait_is_heard_and_heard_once()
    {
        var signal = new AsyncSignal();
        signal.Set();
        signal.Set();
        await signal.WaitAsync();
        var second = signal.WaitAsync();
        Assert.False(second.IsCompleted);
        signal.Set();
        await second;
    }

    [Fact]
    public async Task No_change_is_lost_between_many_setters_and_one_waiter()
    {
        const int setters = 4, changes = 20_000;
        var signal = new AsyncSignal();
        int pending = 0, seen = 0;
        var setting = Enumerable.Range(0, setters).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < changes; i++)
            {
                Interlocked.Increment(ref pending);
                signal.Set();
            }
        })).ToArray();
        while (seen < setters * changes)
        {
            await signal.WaitAsync();
            seen += Interlocked.Exchange(ref pending, 0);
        }
        await Task.WhenAll(setting);
        Assert.Equal(setters * changes, seen);
    }
}
