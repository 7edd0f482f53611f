namespace Mesh.Node.Control;

/// <summary>
/// Full-jitter backoff: a wait drawn evenly from zero to a ceiling that doubles at every failure. A fleet that lost its
/// coordinator at one moment comes back spread over the ceiling.
/// </summary>
/// <param name="random">Gives values from 0 (in) to 1 (out).</param>
internal sealed class Backoff(Func<double> random)
{
    public static readonly TimeSpan FirstCeiling = TimeSpan.FromSeconds(0.5);
    public static readonly TimeSpan LastCeiling = TimeSpan.FromSeconds(60);

    private TimeSpan _ceiling = FirstCeiling;

    /// <summary>The wait before the next try.</summary>
    /// <param name="atLeast">What the coordinator asked for, which is kept beside the jitter.</param>
    public TimeSpan Next(TimeSpan? atLeast = null)
    {
        var wait = _ceiling * random();
        _ceiling = _ceiling * 2 < LastCeiling ? _ceiling * 2 : LastCeiling;
        return wait + (atLeast ?? TimeSpan.Zero);
    }

    /// <summary>Something worked: the next failure starts small again.</summary>
    public void Reset() => _ceiling = FirstCeiling;
}
