using System.Diagnostics;
using Mesh.Node.Kernel;

namespace Mesh.Node.Tests.Kernel;

public sealed class PacketTurnsTests
{
    private static readonly int AWindowOfMany = PacketTurns.ManyDatagrams * (int)PacketTurns.Window.TotalMilliseconds;

    [Fact]
    public void A_thread_that_keeps_up_runs_first_and_one_that_does_not_is_ordinary_until_it_does()
    {
        var seen = OnThread((turns, time) =>
        [
            Policy(),
            Ran(turns, time, PacketTurns.Longest, 1),
            Ran(turns, time, TimeSpan.FromTicks(1), 1),
            Ran(turns, time, TimeSpan.FromSeconds(1), 1),
            Woken(turns),
        ]);
        Assert.Equal([Libc.SCHED_RR, Libc.SCHED_RR, Libc.SCHED_OTHER, Libc.SCHED_OTHER, Libc.SCHED_RR], seen);
    }

    [Fact]
    public void A_thread_shares_while_many_datagrams_come_until_they_are_less_than_half_as_many()
    {
        var seen = OnThread((turns, time) =>
        [
            Ran(turns, time, PacketTurns.Window - TimeSpan.FromTicks(1), AWindowOfMany - 1),
            Ran(turns, time, TimeSpan.FromTicks(1), 1),
            Woken(turns),
            Ran(turns, time, PacketTurns.Window, AWindowOfMany / 2),
            Woken(turns),
            Ran(turns, time, PacketTurns.Window, (AWindowOfMany / 2) - 1),
            Woken(turns),
        ]);
        Assert.Equal(
            [Libc.SCHED_RR, Libc.SCHED_OTHER, Libc.SCHED_OTHER, Libc.SCHED_OTHER, Libc.SCHED_OTHER, Libc.SCHED_OTHER, Libc.SCHED_RR],
            seen);
    }

    [Fact]
    public void A_thread_that_shared_runs_first_again_after_a_rest()
    {
        var seen = OnThread((turns, time) =>
        {
            var busy = Ran(turns, time, PacketTurns.Window, AWindowOfMany);
            time.Advance(PacketTurns.Window);
            return [busy, Woken(turns)];
        });
        Assert.Equal([Libc.SCHED_OTHER, Libc.SCHED_RR], seen);
    }

    [Fact]
    public void A_thread_shares_without_the_right_to_run_first()
    {
        var shares = false;
        var seen = OnThread(
            (turns, time) =>
            {
                var policy = Ran(turns, time, PacketTurns.Window, AWindowOfMany);
                shares = turns.Shares;
                return [policy, Woken(turns)];
            },
            isAllowed: false);
        Assert.Equal([Libc.SCHED_OTHER, Libc.SCHED_OTHER], seen);
        Assert.True(shares);
    }

    [Fact]
    public void A_thread_that_shares_sleeps_where_it_may()
    {
        TimeSpan slept = default;
        OnThread(
            (turns, time) =>
            {
                Ran(turns, time, PacketTurns.Window, AWindowOfMany);
                var began = Stopwatch.GetTimestamp();
                turns.Ran(datagrams: 1, mayNap: true);
                slept = Stopwatch.GetElapsedTime(began);
                return [];
            },
            isAllowed: false);
        Assert.True(slept >= TimeSpan.FromMicroseconds(PacketTurns.NapMicroseconds), $"slept for {slept.TotalMicroseconds} µs");
    }

    private static int Ran(PacketTurns turns, ManualTime time, TimeSpan work, int datagrams)
    {
        time.Advance(work);
        turns.Ran(datagrams);
        return Policy();
    }

    private static int Woken(PacketTurns turns)
    {
        turns.Woken();
        return Policy();
    }

    private static int Policy() => Libc.sched_getscheduler(0) & ~Libc.SCHED_RESET_ON_FORK;

    private static int[] OnThread(Func<PacketTurns, ManualTime, int[]> run, bool isAllowed = true)
    {
        int[] seen = [];
        var first = Libc.SCHED_RR;
        var thread = new Thread(() =>
        {
            var time = new ManualTime();
            var turns = new PacketTurns(time, isAllowed);
            first = Policy();
            seen = run(turns, time);
        });
        thread.Start();
        thread.Join();
        Assert.SkipUnless(first == Libc.SCHED_RR || !isAllowed, "no right to run first (CAP_SYS_NICE)");
        return seen;
    }
}
