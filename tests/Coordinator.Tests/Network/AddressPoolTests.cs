using System.Buffers.Binary;
using System.Net;
using FsCheck.Fluent;
using Mesh.Coordinator.Network;
using Mesh.Tests;

namespace Mesh.Coordinator.Tests.Network;

public sealed class AddressPoolTests
{
    private static readonly IPNetwork IPv6 = IPNetwork.Parse("fd12:3456:789a::/48");

    /// <summary>Looks at every address every time.</summary>
    private sealed class NaivePool(uint first, uint last, Func<uint, bool> excluded)
    {
        private readonly HashSet<uint> _taken = [];
        private readonly HashSet<uint> _used = [];
        private readonly List<uint> _returned = [];

        public List<uint> Taken => [.. _taken.Order()];

        public uint? Next()
        {
            for (var value = first; value <= last; value++)
                if (!excluded(value) && !_used.Contains(value))
                    return value;
            return _returned.Count > 0 ? _returned[0] : null;
        }

        public void Take(uint value)
        {
            _taken.Add(value);
            _used.Add(value);
            _returned.Remove(value);
        }

        public void Return(uint value)
        {
            if (_taken.Remove(value))
                _returned.Add(value);
        }
    }

    [Fact]
    public void Agrees_with_a_model_that_looks_at_every_address()
    {
        // A /27 with a hole, so that walks run dry, wrap into what was returned, and meet addresses taken out of turn.
        var pool = new AddressPlan(IPNetwork.Parse("10.0.0.0/27"), [IPNetwork.Parse("10.0.0.8/30"), IPNetwork.Parse("10.0.0.0/31")], IPv6);
        var step = Gen.Choose(0, 99).Two().Select(pair => (Action: pair.Item1, Pick: pair.Item2));
        SeededProperty.Holds(step.ListOf(), steps =>
        {
            var model = new NaivePool(Value("10.0.0.1"), Value("10.0.0.30"), v => v is >= 0x0a000008 and <= 0x0a00000b or <= 0x0a000001);
            var subject = AddressPool.Create(pool);
            foreach (var (action, pick) in steps.Concat(steps).Concat(steps))
            {
                if (action < 60)
                {
                    var expected = model.Next();
                    var actual = subject.Next();
                    if (expected != (actual is null ? null : Value(actual)))
                        return false;
                    if (actual is null)
                        continue;
                    model.Take(expected!.Value);
                    subject = subject.Take(actual);
                }
                else if (action < 95 && model.Taken.Count > 0)
                {
                    var value = model.Taken[pick % model.Taken.Count];
                    model.Return(value);
                    subject = subject.Return(Address(value));
                }
                else
                {
                    var value = (uint)(Value("10.0.0.12") + (pick % 19));
                    if (model.Taken.Contains(value))
                        continue;
                    model.Take(value);
                    subject = subject.Take(Address(value));
                }

                if (model.Taken.Count != subject.Taken || !model.Taken.All(value => subject.IsTaken(Address(value))))
                    return false;
            }

            return true;
        }, count: 500);
    }

    [Fact]
    public void The_default_pool_begins_at_its_second_address_and_skips_what_is_reserved()
    {
        var pool = AddressPool.Create(AddressPlan.New());
        Assert.Equal(IPAddress.Parse("100.64.0.1"), pool.Next());
        for (var value = Value("100.64.0.1"); value <= Value("100.64.0.20"); value++)
            pool = pool.Take(Address(value));
        Assert.Equal(IPAddress.Parse("100.64.0.21"), pool.Next());
    }

    [Theory]
    [InlineData("100.100.99.255", "100.100.101.0")]
    [InlineData("100.115.91.255", "100.115.94.0")]
    public void Reserved_ranges_are_never_given_out(string before, string after)
    {
        // The pool as it stands just before the range: everything below is out of its plan.
        var start = IPNetwork.Parse($"{before[..before.LastIndexOf('.')]}.0/24");
        var plan = AddressPlan.New();
        var pool = AddressPool.Create(plan with { IPv4 = IPNetwork.Parse("100.64.0.0/10"), IPv4Excluded = [.. plan.IPv4Excluded, .. Below(start)] });
        for (var value = Value(before) - 255; value <= Value(before); value++)
        {
            Assert.Equal(Address(value), pool.Next());
            pool = pool.Take(Address(value));
        }

        Assert.Equal(IPAddress.Parse(after), pool.Next());
    }

    [Fact]
    public void An_IPv6_address_lies_in_the_networks_prefix_and_ends_like_its_IPv4_address()
    {
        var pool = AddressPool.Create(AddressPlan.New() with { IPv6 = IPv6 });
        Assert.Equal(IPAddress.Parse("fd12:3456:789a::6440:0107"), pool.IPv6For(IPAddress.Parse("100.64.1.7")));
    }

    [Fact]
    public void Every_network_has_a_unique_local_prefix_of_its_own()
    {
        var (one, two) = (AddressPlan.New().IPv6, AddressPlan.New().IPv6);
        Assert.NotEqual(one, two);
        Assert.Equal(48, one.PrefixLength);
        Assert.True(IPNetwork.Parse("fd00::/8").Contains(one.BaseAddress));
        Assert.Null(AddressPlan.New().Problem());
    }

    [Fact]
    public void A_pool_at_the_end_of_the_address_space_runs_dry_and_does_not_wrap()
    {
        var pool = AddressPool.Create(new AddressPlan(IPNetwork.Parse("255.255.255.252/30"), [], IPv6));
        pool = pool.Take(pool.Next()!);
        pool = pool.Take(pool.Next()!);
        Assert.Null(pool.Next());
    }

    private static IEnumerable<IPNetwork> Below(IPNetwork start)
    {
        // 100.64.0.0 up to the start, as prefixes.
        var (value, end) = (Value("100.64.0.0"), Value(start.BaseAddress.ToString()));
        while (value < end)
        {
            var bits = Math.Min(BitOperationsLog2(end - value), System.Numerics.BitOperations.TrailingZeroCount(value));
            yield return new IPNetwork(Address(value), 32 - bits);
            value += 1u << bits;
        }
    }

    private static int BitOperationsLog2(uint value) => System.Numerics.BitOperations.Log2(value);

    private static uint Value(string address) => Value(IPAddress.Parse(address));

    private static uint Value(IPAddress address) => BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());

    private static IPAddress Address(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return new IPAddress(bytes);
    }
}
