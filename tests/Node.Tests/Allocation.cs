namespace Mesh.Node.Tests;

/// <summary>Counts what a packet path allocates.</summary>
internal static class Allocation
{
    /// <summary>What the runtime allocates once, when it compiles a path anew, is in one round and not in the next.</summary>
    private const int Rounds = 3;

    /// <summary>The bytes this thread allocates in that many calls at the least, after a warm-up of a tenth as many.</summary>
    public static long Measure(int times, Action<int> body)
    {
        for (int i = 0; i < Math.Max(times / 10, 100); i++)
            body(i);
        long least = long.MaxValue;
        for (int round = 0; round < Rounds && least > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < times; i++)
                body(i);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least;
    }
}
