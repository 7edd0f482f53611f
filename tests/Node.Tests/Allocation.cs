namespace Mesh.Node.Tests;

/// <summary>Counts what a packet path allocates.</summary>
internal static class Allocation
{
    /// <summary>What the runtime allocates once, when it compiles a path anew, is in one part of the calls and not in the next.</summary>
    private const int Parts = 3;

    /// <summary>
    /// The bytes this thread allocates in that many calls, going by the third of them that allocates least, after a warm-up of a tenth
    /// as many.
    /// </summary>
    public static long Measure(int times, Action<int> body)
    {
        for (int i = 0; i < Math.Max(times / 10, 100); i++)
            body(i);
        long least = long.MaxValue;
        int done = 0;
        for (int part = 1; part <= Parts; part++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int until = times * part / Parts; done < until; done++)
                body(done);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least * Parts;
    }
}
