namespace Mesh.Node.Tests;

/// <summary>Counts what a packet path allocates.</summary>
internal static class Allocation
{
    /// <summary>The bytes this thread allocates in that many calls, after a warm-up of a tenth as many.</summary>
    public static long Measure(int times, Action<int> body)
    {
        for (int i = 0; i < Math.Max(times / 10, 100); i++)
            body(i);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < times; i++)
            body(i);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
