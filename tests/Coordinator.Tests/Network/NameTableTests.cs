using FsCheck.Fluent;
using Mesh.Coordinator.Network;
using Mesh.Protocol;
using Mesh.Tests;

namespace Mesh.Coordinator.Tests.Network;

public sealed class NameTableTests
{
    /// <summary>Tries every suffix from the first on.</summary>
    private static string NaiveName(HashSet<string> taken, string label)
    {
        if (!taken.Contains(label))
            return label;
        var stem = label.Length > 56 ? label[..56].TrimEnd('-') : label;
        for (var suffix = 1; ; suffix++)
            if (!taken.Contains($"{stem}-{suffix}"))
                return $"{stem}-{suffix}";
    }

    [Fact]
    public void Agrees_with_a_model_that_tries_every_suffix()
    {
        var labels = Gen.Elements(
            "a", "a-1", "a-2", "a-3", "a-10", "a-01", "a-1-1", "b", "b-1", "1", "1-1", new string('x', 63), new string('x', 56),
            new string('x', 56) + "-1", new string('y', 55) + "-" + new string('y', 7));
        var step = Gen.Choose(0, 99).SelectMany(_ => labels, (pick, label) => (Pick: pick, Label: label));
        SeededProperty.Holds(step.ListOf(), steps =>
        {
            var taken = new HashSet<string>();
            var table = NameTable.Empty;
            var nextId = 1UL;
            foreach (var (pick, label) in steps.Concat(steps).Concat(steps))
            {
                if (pick < 70 || taken.Count == 0)
                {
                    var expected = NaiveName(taken, label);
                    if (table.FreeNameFor(label) != expected || !DnsLabel.IsValid(expected))
                        return false;
                    table = table.Add(expected, nextId++);
                    taken.Add(expected);
                }
                else
                {
                    var name = taken.Order().ElementAt(pick % taken.Count);
                    taken.Remove(name);
                    table = table.Remove(name);
                }
            }

            return table.Count == taken.Count && taken.All(name => table.TryGet(name, out _));
        }, count: 500);
    }

    [Fact]
    public void Thousands_of_machines_of_one_name_each_get_their_own()
    {
        var table = NameTable.Empty;
        for (var i = 0UL; i < 10_000; i++)
            table = table.Add(table.FreeNameFor("ubuntu"), i);
        Assert.True(table.TryGet("ubuntu", out var first) && first == 0);
        Assert.True(table.TryGet("ubuntu-9999", out var last) && last == 9999);
        Assert.Equal("ubuntu-10000", table.FreeNameFor("ubuntu"));
        Assert.Equal("ubuntu-500", table.Remove("ubuntu-500").FreeNameFor("ubuntu"));
    }
}
