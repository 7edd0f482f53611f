using FsCheck;
using FsCheck.Fluent;

namespace Mesh.Tests;

/// <summary>
/// Property checks with a seed that is the same in every run; a failure prints the shrunk case. MESH_TEST_SEED (a number)
/// takes another seed.
/// </summary>
internal static class SeededProperty
{
    private static readonly ulong Seed =
        ulong.TryParse(Environment.GetEnvironmentVariable("MESH_TEST_SEED"), out ulong seed) ? seed : 20261122;

    public static void Holds<T>(Gen<T> cases, Func<T, bool> property, int count = 300) =>
        Holds(cases.ToArbitrary(), property, count);

    public static void Holds<T>(Arbitrary<T> cases, Func<T, bool> property, int count = 300)
    {
        // The second number of a generator must be odd.
        var replay = new Replay(new Rnd(Seed, (Seed << 1) | 1), null);
        Prop.ForAll(cases, property).Check(Config.QuickThrowOnFailure.WithMaxTest(count).WithReplay(replay).WithQuietOnSuccess(true));
    }
}
