using System.Diagnostics;
using System.Globalization;
using System.Text;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Mesh.Fuzz;

/// <summary>
/// Runs one target over many epochs, each with a chance of its own that follows from the seed, so that one alone can be run again.
/// A fixed number of epochs, or as many as fit into MESH_FUZZ_SECONDS (ten minutes in a long run, MESH_LONG). MESH_TEST_SEED takes another seed, MESH_FUZZ_EPOCH
/// runs one epoch alone. What an input must not do: throw, take longer than <see cref="HangLimit"/>, leave memory behind.
/// </summary>
internal sealed class FuzzRun(string target, ITestOutputHelper output)
{
    private static readonly int Seed = Number("MESH_TEST_SEED") ?? 20261122;
    private static readonly int? Seconds = Number("MESH_FUZZ_SECONDS") ?? (Environment.GetEnvironmentVariable("MESH_LONG") is { Length: > 0 } ? 600 : null);
    private static readonly int? OnlyEpoch = Number("MESH_FUZZ_EPOCH");
    private static readonly TimeSpan HangLimit = TimeSpan.FromSeconds(60);
    private const long GrowthLimit = 16 << 20;

    private long _inputs;
    private byte[] _input = [];
    private long _inputBegan = long.MaxValue;
    private int _epoch;

    /// <summary>Notes what is tried next, for the report of a failure and the watchdog.</summary>
    public void Try(ReadOnlySpan<byte> input)
    {
        _inputs++;
        _input = input.ToArray();
        Volatile.Write(ref _inputBegan, Stopwatch.GetTimestamp());
    }

    public void Try(string input) => Try(Encoding.UTF8.GetBytes(input));

    /// <param name="epochs">So many when no time is given.</param>
    /// <param name="epoch">Tries some inputs. It asserts by throwing.</param>
    /// <param name="summary">What else is worth saying at the end.</param>
    public void Run(int epochs, Action<Random> epoch, Func<string>? summary = null)
    {
        long began = Stopwatch.GetTimestamp();
        using var watchdog = new Timer(_ => Watch(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        if (OnlyEpoch is { } only)
        {
            RunOne(only, epoch);
            return;
        }
        long baseline = 0;
        int warm = 0;
        for (int i = 0; Seconds is { } seconds ? Stopwatch.GetElapsedTime(began).TotalSeconds < seconds : i < epochs; i++)
        {
            RunOne(i, epoch);
            bool isWarm = Seconds is { } all ? Stopwatch.GetElapsedTime(began).TotalSeconds > all / 10.0 : i >= epochs / 3;
            if (baseline == 0 && isWarm) (baseline, warm) = (GC.GetTotalMemory(forceFullCollection: true), i);
        }
        Volatile.Write(ref _inputBegan, long.MaxValue);
        long grown = GC.GetTotalMemory(forceFullCollection: true) - baseline;
        double took = Stopwatch.GetElapsedTime(began).TotalSeconds;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"fuzz {target}: {_inputs} inputs in {took:F1} s ({_inputs / took:F0} a second), {_epoch + 1} epochs, seed {Seed}, heap {grown / 1024:+0;-0;0} KiB since epoch {warm}{(summary is null ? "" : "; " + summary())}"));
        Assert.True(grown < GrowthLimit, $"the heap grew by {grown} bytes");
    }

    private void RunOne(int number, Action<Random> epoch)
    {
        _epoch = number;
        try
        {
            epoch(new Random(HashCodeOf(Seed, number)));
        }
        catch (Exception e)
        {
            throw new FuzzException($"{Where()}: {e.GetType().Name}: {e.Message}", e);
        }
    }

    private void Watch()
    {
        long began = Volatile.Read(ref _inputBegan);
        if (began != long.MaxValue && !Debugger.IsAttached && Stopwatch.GetElapsedTime(began) > HangLimit)
            Environment.FailFast($"{Where()}: no end after {HangLimit}");
    }

    private string Where()
    {
        string hex = Convert.ToHexStringLower(_input.AsSpan(0, Math.Min(_input.Length, 600)));
        return $"fuzz {target}, MESH_TEST_SEED={Seed} MESH_FUZZ_EPOCH={_epoch}, input of {_input.Length} bytes {hex}";
    }

    // Not HashCode, which differs from run to run.
    private static int HashCodeOf(int seed, int number) => unchecked((seed * 397) ^ (number * (int)2654435761));

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number) ? number : null;
}

internal sealed class FuzzException(string message, Exception inner) : Exception(message, inner);
