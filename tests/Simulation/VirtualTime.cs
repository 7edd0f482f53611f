namespace Mesh.Simulation;

/// <summary>The time that passes for all, from zero.</summary>
internal sealed class VirtualTime
{
    public TimeSpan Now { get; private set; }

    public void MoveTo(TimeSpan time)
    {
        if (time < Now) throw new ArgumentOutOfRangeException(nameof(time), "time does not go back");
        Now = time;
    }
}

/// <summary>One machine's clocks: time stamps follow the time of all, the wall clock is off by what it was set to.</summary>
internal sealed class NodeClock(VirtualTime time) : TimeProvider
{
    private static readonly DateTimeOffset Beginning = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Of the wall clock, from the true time.</summary>
    public TimeSpan Offset { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => time.Now.Ticks;

    public override DateTimeOffset GetUtcNow() => Beginning + time.Now + Offset;
}
