using System.Diagnostics;

namespace Mesh.Node.Tests;

/// <summary>Waits for a condition that other threads bring about; the limit only ends a broken test.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public static async Task True(Func<bool> condition, string what)
    {
        var waited = Stopwatch.StartNew();
        while (!condition())
        {
            if (waited.Elapsed > Limit) Assert.Fail($"still not true after {Limit.TotalSeconds} s: {what}");
            await Task.Yield();
        }
    }
}
