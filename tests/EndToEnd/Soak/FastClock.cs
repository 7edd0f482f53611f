using System.Diagnostics;

namespace Mesh.EndToEnd.Soak;

/// <summary>
/// A clock that runs several times as fast as the system's, so that sessions are renewed every few seconds. Who sleeps until a
/// time of it sleeps too long, and has to be woken.
/// </summary>
internal sealed class FastClock(int speed) : TimeProvider
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly DateTimeOffset _startTime = DateTimeOffset.UtcNow;

    public override long TimestampFrequency => Stopwatch.Frequency;

    public override long GetTimestamp() => _start + (Stopwatch.GetTimestamp() - _start) * speed;

    public override DateTimeOffset GetUtcNow() => _startTime + Stopwatch.GetElapsedTime(_start) * speed;
}
