using FsCheck;
using FsCheck.Fluent;
using Mesh.Tests;

namespace Mesh.Crypto.Tests;

public sealed class ReplayWindowTests
{
    private const ulong Width = ReplayWindow.Width;

    /// <summary>Keeps every counter it ever took.</summary>
    private sealed class NaiveWindow
    {
        private readonly HashSet<ulong> _accepted = [];
        private ulong _largest;

        public bool TryAccept(ulong counter)
        {
            if (counter <= _largest && _largest - counter >= Width) return false;
            if (!_accepted.Add(counter)) return false;
            _largest = Math.Max(_largest, counter);
            return true;
        }
    }

    [Fact]
    public void The_window_is_as_wide_as_the_others_have_it() => Assert.Equal(8128UL, Width);

    /// <summary>
    /// Walks that mostly creep, sometimes leap (by blocks, by the whole ring and around it) and sometimes fall back, from the
    /// start of the counters, their middle, and their end.
    /// </summary>
    [Fact]
    public void Agrees_with_a_model_that_forgets_nothing()
    {
        var step = Gen.Frequency(
            (6, Gen.Choose(-3, 5)),
            (3, Gen.Choose(-9000, 70)),
            (1, Gen.Choose(-200, 9000)),
            (1, Gen.Elements(-8129, -8128, -8127, -8064, -64, -63, 0, 63, 64, 65, 8063, 8064, 8127, 8128, 8129, 8191, 8192, 8193, 20_000)));
        var start = Gen.Elements(0UL, 1UL, 63UL, 64UL, 8127UL, 8128UL, 8192UL, 1UL << 32, ulong.MaxValue - 20_000, ulong.MaxValue - 64);
        var cases = start.Zip(step.ListOf(400), (first, steps) => (first, steps: steps.ToArray()));
        SeededProperty.Holds(cases, walk =>
        {
            var window = new ReplayWindow();
            var model = new NaiveWindow();
            ulong counter = walk.first;
            foreach (int by in walk.steps)
            {
                bool expected = model.TryAccept(counter);
                if (window.MayAccept(counter) != expected || window.TryAccept(counter) != expected || window.MayAccept(counter)) return false;
                Int128 next = (Int128)counter + by;
                counter = (ulong)Int128.Clamp(next, 0, ulong.MaxValue);
            }
            return true;
        }, count: 500);
    }

    [Theory]
    [InlineData(Width)]
    [InlineData(Width + 1)]
    [InlineData(10_000UL)]
    [InlineData(8191UL)]
    [InlineData(8192UL)]
    [InlineData(8193UL)]
    [InlineData(1UL << 40)]
    [InlineData(ulong.MaxValue - 63)]
    [InlineData(ulong.MaxValue - 1)]
    [InlineData(ulong.MaxValue)]
    public void The_oldest_counter_still_taken_is_one_less_than_the_width_behind(ulong largest)
    {
        var window = new ReplayWindow();
        Assert.True(window.TryAccept(largest));
        Assert.False(window.MayAccept(largest - Width));
        Assert.False(window.TryAccept(largest - Width));
        Assert.True(window.MayAccept(largest - Width + 1));
        Assert.True(window.TryAccept(largest - Width + 1));
        Assert.False(window.TryAccept(largest - Width + 1));
        Assert.False(window.TryAccept(0));
    }

    [Fact]
    public void Counter_zero_is_taken_once()
    {
        var window = new ReplayWindow();
        Assert.True(window.MayAccept(0));
        Assert.True(window.TryAccept(0));
        Assert.False(window.MayAccept(0));
        Assert.False(window.TryAccept(0));
    }

    [Fact]
    public void Every_counter_of_a_shuffled_window_is_taken_exactly_once()
    {
        ulong[] counters = new ulong[Width];
        for (ulong i = 0; i < Width; i++) counters[i] = ulong.MaxValue - i;
        new Random(6479).Shuffle(counters);
        var window = new ReplayWindow();
        Assert.All(counters, counter => Assert.True(window.TryAccept(counter)));
        Assert.All(counters, counter => Assert.False(window.TryAccept(counter)));
    }

    [Fact]
    public void Asking_changes_nothing()
    {
        var window = new ReplayWindow();
        Assert.True(window.TryAccept(5));
        Assert.True(window.MayAccept(1_000_000));
        Assert.True(window.MayAccept(4));
        Assert.True(window.TryAccept(4));
    }

    [Fact]
    public void A_leap_over_the_whole_ring_forgets_what_was_there()
    {
        var window = new ReplayWindow();
        for (ulong i = 0; i < 2 * Width; i++) Assert.True(window.TryAccept(i));
        ulong far = (1UL << 50) + 12_345;
        Assert.True(window.TryAccept(far));
        for (ulong i = 1; i < Width; i++) Assert.True(window.TryAccept(far - i), $"{i} behind");
    }
}
