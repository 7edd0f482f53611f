namespace Mesh.Node.Device;

/// <summary>
/// The timers of one peer (paper section 6). Each is a deadline in device ticks, 0 when not set. The packet paths set and
/// clear them, several at once; the control thread acts on them (see ControlPath.RunTimers). A race between any of them costs at
/// most a handshake or a keepalive that was not needed.
/// <code>
///   timer             set by                               cleared by              when due
///   retransmit        initiation sent                      response, giving up     send again, or give up after 90 s
///   keepalive         data received                        anything sent           send a keepalive
///   new handshake     data sent                            anything received       the session is dead: handshake
///   zero keys         session made, giving up              -                       forget all keys
///   persistent        anything sent or received            -                       send a keepalive
/// </code>
/// </summary>
internal sealed class PeerTimers(Peer peer)
{
    private long _retransmitAt;
    private long _keepaliveAt;
    private long _newHandshakeAt;
    private long _zeroKeysAt;
    private long _persistentAt;
    private bool _moreDataReceived;

    /// <summary>Ticks between persistent keepalives; 0 for none.</summary>
    public long PersistentInterval { get; private set; }

    /// <summary>An initiation is out, and its answer or the next attempt is waited for.</summary>
    public bool IsHandshaking => Volatile.Read(ref _retransmitAt) != 0;

    public void InitiationSent(long now) => Set(ref _retransmitAt, now + Timing.RekeyTimeout.Ticks + peer.Device.Jitter());

    public void HandshakeDone() => Clear(ref _retransmitAt);

    public void SessionMade(long now) => Set(ref _zeroKeysAt, now + Timing.ZeroKeysAfter.Ticks);

    public void DataSent(long now)
    {
        if (Volatile.Read(ref _newHandshakeAt) == 0) Set(ref _newHandshakeAt, now + Timing.NewHandshakeAfter.Ticks + peer.Device.Jitter());
    }

    public void DataReceived(long now)
    {
        if (Volatile.Read(ref _keepaliveAt) == 0) Set(ref _keepaliveAt, now + Timing.KeepaliveTimeout.Ticks);
        else _moreDataReceived = true;
    }

    public void AnySent(long now)
    {
        Clear(ref _keepaliveAt);
        RestartPersistent(now);
    }

    public void AnyReceived(long now)
    {
        Clear(ref _newHandshakeAt);
        RestartPersistent(now);
    }

    public void GivenUp(long now)
    {
        Clear(ref _retransmitAt);
        Clear(ref _keepaliveAt);
        if (Volatile.Read(ref _zeroKeysAt) == 0) Set(ref _zeroKeysAt, now + Timing.ZeroKeysAfter.Ticks);
    }

    public void SetPersistentInterval(long ticks, long now)
    {
        PersistentInterval = ticks;
        if (ticks == 0) Clear(ref _persistentAt);
        else Set(ref _persistentAt, now + ticks);
    }

    public void ClearAll()
    {
        Clear(ref _retransmitAt);
        Clear(ref _keepaliveAt);
        Clear(ref _newHandshakeAt);
        Clear(ref _zeroKeysAt);
        Clear(ref _persistentAt);
    }

    public bool TakeRetransmit(long now) => Take(ref _retransmitAt, now);

    public bool TakeNewHandshake(long now) => Take(ref _newHandshakeAt, now);

    public bool TakeZeroKeys(long now) => Take(ref _zeroKeysAt, now);

    public bool TakePersistent(long now) => Take(ref _persistentAt, now);

    public bool TakeKeepalive(long now)
    {
        if (!Take(ref _keepaliveAt, now)) return false;
        if (_moreDataReceived)
        {
            _moreDataReceived = false;
            Set(ref _keepaliveAt, now + Timing.KeepaliveTimeout.Ticks);
        }
        return true;
    }

    /// <summary>Puts the peer back into the queue for the earliest deadline that is left.</summary>
    public void Reschedule()
    {
        long next = TimerQueue.Never;
        foreach (long at in (ReadOnlySpan<long>)[_retransmitAt, _keepaliveAt, _newHandshakeAt, _zeroKeysAt, _persistentAt])
            if (at != 0 && at < next) next = at;
        if (next != TimerQueue.Never) peer.Device.Timers.Schedule(peer, next);
    }

    private void RestartPersistent(long now)
    {
        if (PersistentInterval == 0) return;
        // Set already, it only moves back: the peer stands in the queue early enough.
        if (Volatile.Read(ref _persistentAt) != 0) Volatile.Write(ref _persistentAt, now + PersistentInterval);
        else Set(ref _persistentAt, now + PersistentInterval);
    }

    private void Set(ref long timer, long at)
    {
        // A full fence: the queue's owner takes the peer out first and reads the deadlines then; one of us sees the other.
        Interlocked.Exchange(ref timer, at);
        peer.Device.Timers.Schedule(peer, at);
    }

    private static void Clear(ref long timer)
    {
        if (Volatile.Read(ref timer) != 0) Volatile.Write(ref timer, 0);
    }

    private static bool Take(ref long timer, long now)
    {
        long at = Volatile.Read(ref timer);
        return at != 0 && at <= now && Interlocked.CompareExchange(ref timer, 0, at) == at;
    }
}
