using System.Diagnostics;

namespace Mesh.Benchmarks.Coordinator;

/// <summary>The median of several runs.</summary>
/// <param name="Microseconds">Of one operation.</param>
/// <param name="Bytes">That one operation allocates.</param>
internal readonly record struct Measured(double Microseconds, double Bytes)
{
    /// <param name="operations">How many of them one run makes.</param>
    /// <param name="prepare">Makes what a run starts from; not measured.</param>
    public static Measured Of<T>(int runs, int operations, Func<T> prepare, Action<T> run)
    {
        run(prepare());
        var times = new double[runs];
        var bytes = new double[runs];
        for (int i = 0; i < runs; i++)
        {
            var start = prepare();
            GC.Collect();
            long allocated = GC.GetAllocatedBytesForCurrentThread(), began = Stopwatch.GetTimestamp();
            run(start);
            times[i] = Stopwatch.GetElapsedTime(began).TotalMicroseconds / operations;
            bytes[i] = (double)(GC.GetAllocatedBytesForCurrentThread() - allocated) / operations;
        }
        return new Measured(Median(times), Median(bytes));
    }

    private static double Median(double[] values)
    {
        Array.Sort(values);
        return (values[(values.Length - 1) / 2] + values[values.Length / 2]) / 2;
    }
}
