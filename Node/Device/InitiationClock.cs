using Mesh.Crypto;

namespace Mesh.Node.Device;

/// <summary>
/// Time stamps of handshake initiations. A responder takes each only when it is newer than every one before, so they must
/// grow whatever the system's clock does, also over restarts.
/// </summary>
public interface IInitiationClock
{
    /// <summary>A stamp greater than every one returned before.</summary>
    Tai64N Next();
}

/// <summary>
/// Follows the system's clock, never backwards. So that a restart needs no write an initiation, stamps are reserved ahead:
/// <paramref name="reserve"/> makes durable a bound that no stamp passes until the next reservation, and a restart begins
/// behind the last bound.
/// </summary>
/// <param name="lastReserved">The bound made durable last, or default.</param>
/// <param name="reserve">Writes a bound to disk; null keeps it in memory alone (a device without a state directory).</param>
public sealed class InitiationClock(TimeProvider time, Tai64N lastReserved = default, Action<Tai64N>? reserve = null) : IInitiationClock
{
    /// <summary>How far ahead is reserved; also by how much a restart may run ahead of the clock.</summary>
    public const uint ReservationSeconds = 60;

    private readonly Lock _gate = new();
    private Tai64N _last = lastReserved;
    private Tai64N _reserved = lastReserved;

    public Tai64N Next()
    {
        lock (_gate)
        {
            var stamp = Tai64N.From(time.GetUtcNow());
            if (stamp <= _last) stamp = _last.Next();
            if (reserve is not null && stamp > _reserved)
            {
                Tai64N bound = stamp.AddSeconds(ReservationSeconds);
                reserve(bound);
                _reserved = bound;
            }
            return _last = stamp;
        }
    }
}
