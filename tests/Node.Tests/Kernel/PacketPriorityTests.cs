using Mesh.Node.Kernel;

namespace Mesh.Node.Tests.Kernel;

public sealed class PacketPriorityTests
{
    [Fact]
    public void A_thread_that_keeps_up_runs_first_and_one_that_does_not_shares_until_it_does()
    {
        var seen = OnThread(isAllowed: true);
        Assert.SkipUnless(seen[0] == (Libc.SCHED_RR | Libc.SCHED_RESET_ON_FORK), "no right to run first (CAP_SYS_NICE)");
        Assert.Equal([Libc.SCHED_RR, Libc.SCHED_RR, Libc.SCHED_OTHER, Libc.SCHED_OTHER, Libc.SCHED_RR], seen.Select(policy => policy & ~Libc.SCHED_RESET_ON_FORK));
    }

    [Fact]
    public void Nothing_changes_where_it_is_not_wanted() =>
        Assert.All(OnThread(isAllowed: false), policy => Assert.Equal(Libc.SCHED_OTHER, policy & ~Libc.SCHED_RESET_ON_FORK));

    /// <summary>The thread's policy at its start, after short work, after long work, after more of it, and after a wait.</summary>
    private static List<int> OnThread(bool isAllowed)
    {
        List<int> seen = [];
        var thread = new Thread(() =>
        {
            var time = new ManualTime();
            var priority = new PacketPriority(time, isAllowed);
            seen.Add(Libc.sched_getscheduler(0));
            foreach (var work in (TimeSpan[])[PacketPriority.Longest, TimeSpan.FromTicks(1), TimeSpan.FromSeconds(1)])
            {
                time.Advance(work);
                priority.Ran();
                seen.Add(Libc.sched_getscheduler(0));
            }
            priority.Woken();
            seen.Add(Libc.sched_getscheduler(0));
        });
        thread.Start();
        thread.Join();
        return seen;
    }
}
