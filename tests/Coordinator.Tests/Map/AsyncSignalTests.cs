using Mesh.Coordinator.Map;

namespace Mesh.Coordinator.Tests.Map;

public sealed class AsyncSignalTests
{
    [Fact]
    public async Task Flags_set_before_the_wait_are_heard_and_heard_once()
    {
        var signal = new AsyncSignal();
        signal.Set(1);
        signal.Set(1);
        signal.Set(4);
        Assert.Equal(5, await signal.WaitAsync());
        var second = signal.WaitAsync();
        Assert.False(second.IsCompleted);
        signal.Set(2);
        Assert.Equal(2, await second);
    }

    [Fact]
    public async Task A_waiter_that_is_told_here_goes_on_here()
    {
        var signal = new AsyncSignal();
        int thread = 0;
        var waiting = WaitAsync();
        signal.SetHere(1);
        Assert.Equal(Environment.CurrentManagedThreadId, thread);
        await waiting;

        async Task WaitAsync()
        {
            await signal.WaitAsync();
            thread = Environment.CurrentManagedThreadId;
        }
    }

    /// <summary>Each flag is set while the waiter that heard the one before turns to wait again; nothing would make up for one lost.</summary>
    [Fact]
    public async Task No_flag_is_lost_while_the_waiter_falls_asleep()
    {
        const int rounds = 50_000;
        var signal = new AsyncSignal();
        int heard = 0;
        var waiting = Task.Run(async () =>
        {
            while (heard < rounds)
            {
                await signal.WaitAsync();
                Interlocked.Increment(ref heard);
            }
        });
        await Task.Factory.StartNew(
            () =>
            {
                for (int i = 1; i <= rounds; i++)
                {
                    signal.Set(1);
                    if (!SpinWait.SpinUntil(() => Volatile.Read(ref heard) == i, TimeSpan.FromSeconds(30))) Assert.Fail($"flag {i} was lost");
                }
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await waiting;
    }

    [Fact]
    public async Task No_flag_is_lost_between_many_setters_and_one_waiter()
    {
        const int setters = 4, changes = 20_000;
        var signal = new AsyncSignal();
        int[] pending = new int[setters];
        var setting = Enumerable.Range(0, setters).Select(setter => Task.Run(() =>
        {
            for (int i = 0; i < changes; i++)
            {
                Interlocked.Increment(ref pending[setter]);
                if (i % 2 == 0) signal.Set(1 << setter);
                else signal.SetHere(1 << setter);
            }
        })).ToArray();
        for (int seen = 0; seen < setters * changes;)
        {
            int flags = await signal.WaitAsync();
            Assert.NotEqual(0, flags);
            for (int setter = 0; setter < setters; setter++)
                if ((flags >> setter & 1) != 0) seen += Interlocked.Exchange(ref pending[setter], 0);
        }
        await Task.WhenAll(setting);
    }
}
