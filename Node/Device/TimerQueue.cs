namespace Mesh.Node.Device;

/// <summary>
/// When each peer's timers have to be looked at next. A peer stands in it at most at its earliest deadline: setting a later
/// one, which the packet paths do all the time, touches nothing here. An idle peer does not stand in it at all. Times are
/// device ticks.
/// </summary>
internal sealed class TimerQueue(Action wake)
{
    public const long Never = long.MaxValue;

    private readonly Lock _gate = new();
    private readonly PriorityQueue<Peer, long> _queue = new();
    private long _sleepingUntil = Never;

    /// <summary>Sees to it that the peer is looked at no later than then.</summary>
    public void Schedule(Peer peer, long deadline)
    {
        if (deadline >= Volatile.Read(ref peer.ScheduledAt)) return;
        bool sooner;
        lock (_gate)
        {
            if (deadline >= peer.ScheduledAt) return;
            Volatile.Write(ref peer.ScheduledAt, deadline);
            _queue.Enqueue(peer, deadline);
            sooner = deadline < _sleepingUntil;
        }
        if (sooner) wake();
    }

    /// <summary>Takes a peer that is due; afterwards its owner schedules it anew.</summary>
    public Peer? TakeDue(long now)
    {
        lock (_gate)
        {
            while (_queue.TryPeek(out var peer, out long at) && at <= now)
            {
                _queue.Dequeue();
                if (peer.ScheduledAt != at) continue; // stood for a later deadline than the one that was scheduled since
                Volatile.Write(ref peer.ScheduledAt, Never);
                return peer;
            }
            return null;
        }
    }

    /// <summary>When the next peer is due. The caller sleeps until then, or until it is woken.</summary>
    public long NextDeadline()
    {
        lock (_gate) return _sleepingUntil = _queue.TryPeek(out _, out long at) ? at : Never;
    }
}
