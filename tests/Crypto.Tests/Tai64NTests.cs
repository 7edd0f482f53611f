using FsCheck.Fluent;
using Mesh.Tests;
using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

public sealed class Tai64NTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Seconds by hand: 2^62 + 10 + Unix time. Nanoseconds: the low 24 bits cleared.</summary>
    [Theory]
    [InlineData("1970-01-01T00:00:00Z", "400000000000000a00000000")]
    [InlineData("1969-12-31T23:59:59Z", "400000000000000900000000")]
    [InlineData("1969-12-31T23:59:59.5Z", "40000000000000091d000000")]
    [InlineData("2000-01-01T00:00:00Z", "40000000386d438a00000000")]
    [InlineData("2026-11-22T12:34:56.5Z", "400000006b02e17a1d000000")]
    [InlineData("2026-11-22T14:34:56.9999999+02:00", "400000006b02e17a3b000000")]
    [InlineData("2106-02-07T06:28:16Z", "400000010000000a00000000")]
    public void Known_instants_have_known_bytes(string time, string expected)
    {
        byte[] bytes = new byte[Tai64N.Length];
        Tai64N.From(DateTimeOffset.Parse(time)).Write(bytes);
        AssertHex(expected, bytes);
        Assert.Equal(Tai64N.From(DateTimeOffset.Parse(time)), Tai64N.Read(bytes));
    }

    [Fact]
    public void Stamps_are_coarse_enough_to_hide_fine_timing()
    {
        var distinct = new HashSet<Tai64N>();
        for (int microseconds = 0; microseconds < 1_000_000; microseconds += 50)
            distinct.Add(Tai64N.From(Noon.AddMicroseconds(microseconds)));
        Assert.Equal(60, distinct.Count); // a second holds 59.6 steps of 2^24 ns
        Assert.Equal(Tai64N.From(Noon), Tai64N.From(Noon.AddMicroseconds(16_777)));
        Assert.True(Tai64N.From(Noon) < Tai64N.From(Noon.AddMicroseconds(16_778)));
    }

    [Fact]
    public void Order_of_stamps_is_order_of_bytes_and_of_times() =>
        SeededProperty.Holds(
            ArbMap.Default.GeneratorFor<DateTimeOffset>().Zip(ArbMap.Default.GeneratorFor<long>(), (time, step) => (time, step)),
            pair =>
            {
                var (time, step) = pair;
                DateTimeOffset other = time.AddTicks(Math.Clamp(step * 100_000,
                    DateTimeOffset.MinValue.UtcTicks - time.UtcTicks, DateTimeOffset.MaxValue.UtcTicks - time.UtcTicks));
                Tai64N one = Tai64N.From(time), two = Tai64N.From(other);
                byte[] first = new byte[12], second = new byte[12];
                one.Write(first);
                two.Write(second);
                int order = Math.Sign(one.CompareTo(two));
                return order == Math.Sign(first.AsSpan().SequenceCompareTo(second))
                    && (order == 0 || order == time.CompareTo(other))
                    && (one < two) == order < 0 && (one >= two) == order >= 0 && (one == two) == (order == 0)
                    && Tai64N.Read(first) == one && one < one.Next();
            });

    [Fact]
    public void Next_is_the_first_stamp_that_a_responder_takes_after_this_one()
    {
        var stamp = Tai64N.From(Noon);
        for (int i = 0; i < 200; i++)
        {
            Assert.True(stamp.Next() > stamp);
            byte[] bytes = new byte[12];
            stamp.Next().Write(bytes);
            Assert.Equal(0, bytes[9] | bytes[10] | bytes[11]);
            Assert.True(bytes[8] < 60);
            stamp = stamp.Next();
        }
        Assert.True(stamp > Tai64N.From(Noon.AddSeconds(3)) && stamp < Tai64N.From(Noon.AddSeconds(4)));
    }

    /// <summary>What was read may claim more nanoseconds than a second has.</summary>
    [Theory]
    [InlineData("400000006b02e17affffffff", "400000006b02e17b00000000")]
    [InlineData("400000006b02e17a3b9ac9ff", "400000006b02e17b00000000")]
    [InlineData("400000006b02e17a00000001", "400000006b02e17a01000000")]
    public void Next_of_an_odd_stamp_is_later_all_the_same(string odd, string expected)
    {
        byte[] bytes = new byte[12];
        Tai64N.Read(Hex(odd)).Next().Write(bytes);
        AssertHex(expected, bytes);
    }
}
