using System.Collections.Immutable;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Effect;

/// <summary>A set of protocols and ports, as rules let them through. Immutable; equal sets are equal, and have the same text.</summary>
internal sealed class ServiceSet : IEquatable<ServiceSet>
{
    private const string AllText = "everything";

    private static readonly ImmutableArray<PortSpan> AllPorts = [PortSpan.All];

    private static readonly ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>> All =
        IpProtocols.Default.ToImmutableSortedDictionary(protocol => protocol, _ => AllPorts);

    private readonly ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>> _ports;
    private readonly string _text;

    private ServiceSet(ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>> ports)
    {
        _ports = ports;
        _text = Write(ports);
    }

    public static ServiceSet Empty { get; } = new(ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>>.Empty);

    /// <summary>What a rule lets through that names neither protocol nor port.</summary>
    public static ServiceSet Everything { get; } = new(All);

    public bool IsEmpty => _ports.IsEmpty;

    /// <param name="protocols">As <see cref="ClassRule.Protocols"/>.</param>
    /// <param name="ports">As <see cref="ClassRule.Ports"/>.</param>
    public static ServiceSet Of(ImmutableArray<byte> protocols, ImmutableArray<PortSpan> ports) => new(
        (protocols.IsEmpty ? IpProtocols.Default : protocols).Distinct().ToImmutableSortedDictionary(
            protocol => protocol, protocol => IpProtocols.HasPorts(protocol) && !ports.IsEmpty ? Normal(ports) : AllPorts));

    public static ServiceSet Union(IEnumerable<ServiceSet> sets)
    {
        var ports = ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>>.Empty;
        foreach (var set in sets)
            foreach (var (protocol, spans) in set._ports)
                ports = ports.SetItem(protocol, ports.TryGetValue(protocol, out var known) ? Normal(known.AddRange(spans)) : spans);
        return ports.IsEmpty ? Empty : new ServiceSet(ports);
    }

    public ServiceSet Except(ServiceSet other)
    {
        if (IsEmpty || other.IsEmpty) return this;
        var left = Without(_ports, other._ports);
        return left.IsEmpty ? Empty : new ServiceSet(left);
    }

    /// <param name="port">Means nothing for protocols without ports.</param>
    public bool Contains(byte protocol, ushort port) =>
        _ports.TryGetValue(protocol, out var spans) && (!IpProtocols.HasPorts(protocol) || spans.Any(span => span.First <= port && port <= span.Last));

    public bool Equals(ServiceSet? other) => other is not null && _text == other._text;

    public override bool Equals(object? obj) => Equals(obj as ServiceSet);

    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);

    /// <summary>"tcp:22,80, icmp", "tcp/udp:53", "everything", "everything but tcp:22".</summary>
    public override string ToString() => _text;

    private static ImmutableArray<PortSpan> Normal(ImmutableArray<PortSpan> spans) => PortList.Join(spans) is { IsEmpty: false } joined ? joined : AllPorts;

    private static ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>> Without(
        ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>> whole, ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>> taken)
    {
        foreach (var (protocol, holes) in taken)
        {
            if (!whole.TryGetValue(protocol, out var spans)) continue;
            ImmutableArray<PortSpan> rest = [.. spans.SelectMany(span => Without(span, holes))];
            whole = rest.IsEmpty ? whole.Remove(protocol) : whole.SetItem(protocol, rest);
        }
        return whole;
    }

    /// <param name="holes">Sorted and disjoint.</param>
    private static IEnumerable<PortSpan> Without(PortSpan span, ImmutableArray<PortSpan> holes)
    {
        int first = span.First;
        foreach (var hole in holes.Where(hole => hole.First <= span.Last && hole.Last >= span.First))
        {
            if (hole.First > first) yield return new PortSpan((ushort)first, (ushort)(hole.First - 1));
            first = hole.Last + 1;
        }
        if (first <= span.Last) yield return new PortSpan((ushort)first, span.Last);
    }

    /// <summary>What it holds; or, where that is less, what of everything it does not.</summary>
    private static string Write(ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>> ports)
    {
        var missing = Without(All, ports);
        return missing.IsEmpty || CountOf(missing) >= CountOf(ports) || !Without(ports, All).IsEmpty ? List(ports) : $"{AllText} but {List(missing)}";
    }

    private static long CountOf(ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>> ports) =>
        ports.Where(entry => IpProtocols.HasPorts(entry.Key)).Sum(entry => entry.Value.Sum(span => span.Last - span.First + 1L));

    private static string List(ImmutableSortedDictionary<byte, ImmutableArray<PortSpan>> ports)
    {
        List<string> parts = [];
        bool everything = Without(All, ports).IsEmpty;
        if (everything) parts.Add(AllText);
        var rest = everything ? ports.Where(entry => !All.ContainsKey(entry.Key)) : ports;
        // Protocols of the same ports stand together: a rule that names none means TCP and UDP alike.
        foreach (var group in rest.Where(entry => IpProtocols.HasPorts(entry.Key)).GroupBy(entry => string.Join(',', entry.Value), StringComparer.Ordinal))
            parts.Add($"{string.Join('/', group.Select(entry => IpProtocols.NameOf(entry.Key)))}:{group.Key}");
        string[] names = [.. rest.Where(entry => !IpProtocols.HasPorts(entry.Key)).Select(entry => IpProtocols.NameOf(entry.Key))];
        bool both = names.Contains("icmp") && names.Contains("ipv6-icmp");
        parts.AddRange(names.Where(name => !both || name != "ipv6-icmp").Select(name => name == "icmp" && !both ? "icmp for IPv4" : name));
        return string.Join(", ", parts);
    }
}
