using FsCheck.Fluent;
using Mesh.Node.Device;
using Mesh.Node.Filter;
using Mesh.Tests;

namespace Mesh.Node.Tests.Filter;

public sealed class PrefixTableTests
{
    [Fact]
    public void Finds_just_the_prefixes_that_cover_an_address() => SeededProperty.Holds(Gen.Choose(0, int.MaxValue), seed =>
    {
        var random = new Random(seed);
        var prefixes = Enumerable.Range(0, random.Next(60)).Select(_ => Prefix(random)).Distinct().ToDictionary(prefix => prefix, prefix => prefix.ToString());
        var table = new PrefixTable<string>(prefixes);
        Assert.Equal(prefixes.Count == 0, table.IsEmpty);
        for (int i = 0; i < 50; i++)
        {
            IpAddressBits address = Address(random);
            var found = new List<string>();
            var matches = table.Covering(address);
            while (matches.Next() is { } value) found.Add(value);
            Assert.Equal(prefixes.Where(prefix => prefix.Key.Contains(address)).Select(prefix => prefix.Value).Order(), found.Order());
        }
        return true;
    }, count: 200);

    private static IpPrefix Prefix(Random random)
    {
        IpAddressBits address = Address(random);
        return new IpPrefix(address, random.Next(3) == 0 ? random.Next(address.Bits + 1) : address.Bits - 2 * random.Next(3));
    }

    /// <summary>Of few, so that prefixes cover and neighbour each other.</summary>
    private static IpAddressBits Address(Random random)
    {
        ulong few = (ulong)random.Next(16);
        return random.Next(2) == 0 ? new(true, 0xfd7a_0000_0000_0000 + few, (ulong)random.Next(16)) : new(false, (0x0a00_0000 + few) << 32, 0);
    }
}
