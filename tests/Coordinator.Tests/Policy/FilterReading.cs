using Mesh.Coordinator.Policy;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>Reads compiled rules as a node does: by the sender's class for its own addresses, by prefix for what it routes.</summary>
internal static class FilterReading
{
    private static readonly byte[] NamedByNone = [1, 6, 17, 58];

    public static bool Allows(
        IEnumerable<ClassRule> filter, PolicySubject from, ClassId fromClass, IpPrefix source, PolicySubject to, IpPrefix destination, byte protocol, ushort port)
    {
        bool own = from.IPv4 == source || from.IPv6 == source;
        foreach (var rule in filter)
        {
            if (!(rule.Protocols.IsEmpty ? NamedByNone.AsSpan() : rule.Protocols.AsSpan()).Contains(protocol)) continue;
            if (protocol is 6 or 17 or 132 && !rule.Ports.IsEmpty && !rule.Ports.Any(span => port >= span.First && port <= span.Last)) continue;
            bool reached = rule.Destinations.IsEmpty
                ? to.IPv4 == destination || to.IPv6 == destination
                : rule.Destinations.Any(prefix => prefix.Contains(destination));
            if (!reached) continue;
            bool sent = own
                ? rule.Classes.Contains(fromClass)
                    && rule.Family switch { IpFamily.IPv4 => !source.IsIPv6, IpFamily.IPv6 => source.IsIPv6, _ => true }
                    && (!rule.SameOwner || (from.EffectiveOwnerId != 0 && from.EffectiveOwnerId == to.EffectiveOwnerId))
                : rule.Sources.Any(prefix => prefix.Contains(source));
            if (sent) return true;
        }
        return false;
    }
}
