using Mesh.Crypto;
using Mesh.Node.Device;

namespace Mesh.Node.Tests.Device;

public sealed class InitiationClockTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void Stamps_grow_though_the_clock_stands_or_goes_back()
    {
        var clock = new InitiationClock(_time);
        Tai64N last = clock.Next();
        for (int i = 0; i < 100; i++)
        {
            if (i == 50) _time.Jump(_time.GetUtcNow() - TimeSpan.FromHours(1));
            Tai64N next = clock.Next();
            Assert.True(next > last);
            last = next;
        }
    }

    [Fact]
    public void A_restart_begins_behind_every_stamp_that_was_sent_and_writes_are_few()
    {
        Tai64N durable = default;
        int writes = 0;
        void Reserve(Tai64N bound) => (durable, writes) = (bound, writes + 1);
        var clock = new InitiationClock(_time, default, Reserve);
        Tai64N last = default;
        for (int second = 0; second < 600; second += 5)
        {
            last = clock.Next();
            Assert.True(last <= durable);
            _time.Advance(TimeSpan.FromSeconds(5));
        }
        Assert.InRange(writes, 9, 11);
        _time.Jump(_time.GetUtcNow() - TimeSpan.FromDays(30));
        var restarted = new InitiationClock(_time, durable, Reserve);
        Assert.True(restarted.Next() > last);
    }

    [Fact]
    public void A_bound_that_cannot_be_written_is_not_passed()
    {
        var clock = new InitiationClock(_time, default, _ => throw new IOException("disk full"));
        Assert.Throws<IOException>(() => clock.Next());
        Assert.Throws<IOException>(() => clock.Next());
    }
}
