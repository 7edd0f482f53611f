using System.Collections.Immutable;
using Google.Protobuf;
using Mesh.Coordinator.Policy;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Map;

/// <summary>What the nodes of a class accept, as their maps say it. The same bytes for all of them, so they are encoded once.</summary>
internal static class FilterEntry
{
    /// <summary>
    /// A <see cref="PacketFilter"/>. Rules beyond <see cref="ControlLimits.FilterRules"/>, which machines that came after the policy was set may
    /// lead to, are left out and grant nothing; a node would refuse the whole map.
    /// </summary>
    public static byte[] Encode(ImmutableArray<ClassRule> ingress)
    {
        var filter = new PacketFilter();
        filter.Ingress.AddRange(ingress.Take(ControlLimits.FilterRules).Select(ToMessage));
        return filter.ToByteArray();
    }

    public static FilterRule ToMessage(ClassRule rule)
    {
        var message = new FilterRule
        {
            SameOwner = rule.SameOwner,
            IpVersion = rule.Family switch { IpFamily.IPv4 => 4, IpFamily.IPv6 => 6, _ => 0 },
        };
        message.Classes.AddRange(rule.Classes.Select(id => id.Value));
        message.Sources.AddRange(rule.Sources.Select(ToMessage));
        message.Destinations.AddRange(rule.Destinations.Select(ToMessage));
        message.Protocols.AddRange(rule.Protocols.Select(protocol => (uint)protocol));
        message.Ports.AddRange(rule.Ports.Select(span => new PortRange { First = span.First, Last = span.Last }));
        return message;
    }

    private static Prefix ToMessage(IpPrefix prefix) => new()
    {
        Address = ByteString.CopyFrom(prefix.FirstAddress().GetAddressBytes()), Length = (uint)prefix.Length,
    };
}
