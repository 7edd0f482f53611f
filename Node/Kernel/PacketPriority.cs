namespace Mesh.Node.Kernel;

/// <summary>
/// Has a thread that carries packets run before all ordinary ones (SCHED_RR at its lowest priority, sched(7)), as the kernel's own
/// network code does: no packet then waits until some program's turn is over. Only while it keeps up: a thread that did not run
/// out of work for <see cref="Longest"/> is overloaded, and shares the machine like any other until it has. Needs CAP_SYS_NICE;
/// without it, nothing changes. One thread makes and uses it.
/// </summary>
internal sealed class PacketPriority
{
    /// <summary>"normal" in this variable leaves all threads alike.</summary>
    public const string Variable = "MESH_PRIORITY";

    public static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(50);

    private readonly TimeProvider _time;
    private bool _isAllowed;
    private bool _isFirst;
    private long _wokenAt;

    public PacketPriority(TimeProvider time, bool isAllowed)
    {
        (_time, _isAllowed) = (time, isAllowed);
        Woken();
    }

    /// <summary>Whether the operator allows it.</summary>
    public static bool IsWanted => Environment.GetEnvironmentVariable(Variable) != "normal";

    /// <summary>To be called after each wait for work.</summary>
    public void Woken()
    {
        _wokenAt = _time.GetTimestamp();
        if (!_isFirst && _isAllowed) _isFirst = _isAllowed = Set(Libc.SCHED_RR, priority: 1);
    }

    /// <summary>To be called after each piece of work.</summary>
    public void Ran()
    {
        if (_isFirst && _time.GetElapsedTime(_wokenAt) > Longest) _isFirst = !Set(Libc.SCHED_OTHER, priority: 0);
    }

    // What the thread starts is ordinary again.
    private static unsafe bool Set(int policy, int priority) => Libc.sched_setscheduler(0, policy | Libc.SCHED_RESET_ON_FORK, &priority) == 0;
}
