using Mesh.Coordinator.Map;
using Mesh.Coordinator.Policy;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Map;

public sealed class FilterEntryTests
{
    [Fact]
    public void Everything_that_a_rule_says_is_in_its_message()
    {
        var rule = new ClassRule([new ClassId(7), new ClassId(9)])
        {
            SameOwner = true, Family = IpFamily.IPv6, Sources = [IpPrefix.Parse("10.1.0.0/16")], Protocols = [6, 17], Ports = [new PortSpan(22, 22), new PortSpan(80, 90)],
            Destinations = [IpPrefix.Parse("fd00::/8")], Origin = "acls[0] (line 1)",
        };
        var written = Assert.Single(PacketFilter.Parser.ParseFrom(FilterEntry.Encode([rule])).Ingress);
        Assert.Equal([7ul, 9], written.Classes);
        Assert.Equal((true, 6u), (written.SameOwner, written.IpVersion));
        Assert.Equal([10, 1, 0, 0], written.Sources.Single().Address.ToByteArray());
        Assert.Equal(16u, written.Sources.Single().Length);
        Assert.Equal([6u, 17], written.Protocols);
        Assert.Equal([(22u, 22u), (80u, 90u)], written.Ports.Select(range => (range.First, range.Last)));
        Assert.Equal((8u, 16), (written.Destinations.Single().Length, written.Destinations.Single().Address.Length));
    }

    [Fact]
    public void More_rules_than_a_node_takes_are_left_out()
    {
        var rules = Enumerable.Range(1, ControlLimits.FilterRules + 5).Select(i => new ClassRule([new ClassId((ulong)i)])).ToArray();
        var written = PacketFilter.Parser.ParseFrom(FilterEntry.Encode([.. rules]));
        Assert.Equal(ControlLimits.FilterRules, written.Ingress.Count);
        Assert.Equal((ulong)ControlLimits.FilterRules, written.Ingress[^1].Classes.Single());
    }
}
