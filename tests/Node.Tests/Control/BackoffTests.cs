using Mesh.Node.Control;

namespace Mesh.Node.Tests.Control;

public sealed class BackoffTests
{
    [Fact]
    public void The_ceiling_doubles_up_to_a_minute_and_starts_again_after_a_success()
    {
        var backoff = new Backoff(() => 1.0);
        double[] ceilings = [.. Enumerable.Range(0, 9).Select(_ => backoff.Next().TotalSeconds)];
        Assert.Equal([0.5, 1, 2, 4, 8, 16, 32, 60, 60], ceilings);
        backoff.Reset();
        Assert.Equal(TimeSpan.FromSeconds(0.5), backoff.Next());
    }

    [Fact]
    public void The_wait_is_drawn_from_zero_to_the_ceiling()
    {
        double draw = 0;
        var backoff = new Backoff(() => draw);
        Assert.Equal(TimeSpan.Zero, backoff.Next());
        draw = 0.25;
        Assert.Equal(TimeSpan.FromSeconds(0.25), backoff.Next());
    }

    [Fact]
    public void What_the_coordinator_asks_for_is_kept_and_jitter_comes_on_top()
    {
        var backoff = new Backoff(() => 0.5);
        Assert.Equal(TimeSpan.FromSeconds(30.25), backoff.Next(TimeSpan.FromSeconds(30)));
    }
}
