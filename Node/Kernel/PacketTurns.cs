namespace Mesh.Node.Kernel;

/// <summary>
/// When a thread that carries packets runs, beside the programs that send and receive them. One thread makes and uses it.
/// <para>It runs first, before all ordinary threads (SCHED_RR at its lowest priority, sched(7)), as the kernel's own network code
/// does: no packet then waits until some program's turn is over. Only while it keeps up: a thread that did not run out of work for
/// <see cref="Longest"/> is overloaded, and is an ordinary one until it has. Needs CAP_SYS_NICE; without it all threads are ordinary.</para>
/// <para>It shares while many datagrams come that no TCP holds back: it is ordinary then, and after each batch whoever waits for the
/// core has it, so that the receiver empties its buffer before it overflows. The outbound thread sleeps a little when it took all
/// that waited: the next batch gathers meanwhile without a wake-up for each packet, and the receiver is not woken behind its sender
/// (the kernel wakes it on the inbound thread's core only if no third thread waits there).</para>
/// </summary>
internal sealed class PacketTurns
{
    /// <summary>"normal" in this variable leaves all threads ordinary.</summary>
    public const string Variable = "MESH_PRIORITY";

    /// <summary>Datagrams a millisecond from which on it shares, until they are half as many.</summary>
    public const int ManyDatagrams = 32;

    /// <summary>It sleeps so long at least; the kernel may add its timer slack, 50 µs (prctl(2)).</summary>
    public const uint NapMicroseconds = 50;

    public static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(50);

    /// <summary>Datagrams are counted for so long.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMilliseconds(4);

    private readonly TimeProvider _time;
    private bool _isAllowed;
    private bool _isFirst;
    private long _wokenAt;
    private long _countedFrom;
    private int _datagrams;

    public PacketTurns(TimeProvider time, bool isAllowed)
    {
        (_time, _isAllowed) = (time, isAllowed);
        _countedFrom = time.GetTimestamp();
        Woken();
    }

    /// <summary>Whether the operator allows it to run first.</summary>
    public static bool IsWanted => Environment.GetEnvironmentVariable(Variable) != "normal";

    public bool Shares { get; private set; }

    /// <summary>Waits for work.</summary>
    public void Wait(Poller poller)
    {
        poller.Wait(-1);
        Woken();
    }

    /// <summary>To be called after each batch.</summary>
    /// <param name="datagrams">Its packets but for those of TCP.</param>
    /// <param name="mayNap">Whether it may sleep: all that waited was taken, and what comes meanwhile has room.</param>
    public void Ran(int datagrams, bool mayNap = false)
    {
        long now = _time.GetTimestamp();
        Count(datagrams, now);
        if (_isFirst && (Shares || _time.GetElapsedTime(_wokenAt, now) > Longest)) _isFirst = !Set(Libc.SCHED_OTHER, priority: 0);
        if (!Shares) return;
        _ = mayNap ? Libc.usleep(NapMicroseconds) : Libc.sched_yield();
    }

    /// <summary>To be called after each wait for work.</summary>
    public void Woken()
    {
        _wokenAt = _time.GetTimestamp();
        Count(0, _wokenAt);
        if (!_isFirst && _isAllowed && !Shares) _isFirst = _isAllowed = Set(Libc.SCHED_RR, priority: 1);
    }

    private void Count(int datagrams, long now)
    {
        _datagrams += datagrams;
        TimeSpan counted = _time.GetElapsedTime(_countedFrom, now);
        if (counted < Window) return;
        Shares = _datagrams >= counted.TotalMilliseconds * (Shares ? ManyDatagrams / 2 : ManyDatagrams);
        (_datagrams, _countedFrom) = (0, now);
    }

    // What the thread starts is ordinary again.
    private static unsafe bool Set(int policy, int priority) => Libc.sched_setscheduler(0, policy | Libc.SCHED_RESET_ON_FORK, &priority) == 0;
}
