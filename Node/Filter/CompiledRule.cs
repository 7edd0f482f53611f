using Google.Protobuf;
using Mesh.Node.Device;
using Mesh.Protocol.Control;

namespace Mesh.Node.Filter;

/// <summary>One rule of a map's filter, in the engine's terms.</summary>
/// <param name="Number">Its place in its half of the filter, from 1.</param>
/// <param name="Classes">Without 0, which names no class.</param>
/// <param name="Ports">Never empty.</param>
/// <param name="Destinations">Empty for own addresses.</param>
/// <param name="IpVersion">That the classes hold for: 4, 6, or 0 for both.</param>
internal sealed record CompiledRule(
    int Number, ulong[] Classes, byte[] Protocols, (ushort First, ushort Last)[] Ports, IpPrefix[] Destinations, bool SameOwner, IpPrefix[] Sources,
    byte IpVersion)
{
    private static readonly MessageParser<FilterRule> Known = FilterRule.Parser.WithDiscardUnknownFields(true);

    /// <returns>Null for a rule that says something which this version does not understand: it grants nothing.</returns>
    public static CompiledRule? From(FilterRule rule, int number)
    {
        if (rule.IpVersion is not (0 or 4 or 6)) return null;
        if (Known.ParseFrom(rule.ToByteString()).CalculateSize() != rule.CalculateSize()) return null;
        return new CompiledRule(
            number,
            [.. rule.Classes.Where(id => id != 0).Distinct()],
            rule.Protocols.Count == 0 ? IpProtocol.Default.ToArray() : [.. rule.Protocols.Select(protocol => (byte)protocol).Distinct()],
            rule.Ports.Count == 0 ? [(0, ushort.MaxValue)] : [.. rule.Ports.Select(range => ((ushort)range.First, (ushort)range.Last))],
            [.. rule.Destinations.Select(ToEngine)],
            rule.SameOwner,
            [.. rule.Sources.Select(ToEngine)],
            (byte)rule.IpVersion);
    }

    /// <summary>Whether the rule's classes hold in a version of IP.</summary>
    public bool HoldsIn(bool isV6) => IpVersion == 0 || IpVersion == (isV6 ? 6 : 4);

    public static IpPrefix ToEngine(Prefix prefix) => new(
        prefix.Address.Length == 4 ? IpAddressBits.V4(prefix.Address.Span) : IpAddressBits.V6(prefix.Address.Span), (int)prefix.Length);
}
