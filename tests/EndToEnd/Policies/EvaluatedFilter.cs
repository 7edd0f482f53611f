using System.Net;
using System.Text.Json;

namespace Mesh.EndToEnd.Policies;

/// <summary>A packet filter as <c>policy eval</c> writes it, read as the format's documents say: by addresses.</summary>
internal sealed class EvaluatedFilter
{
    private static readonly int[] DefaultProtocols = [6, 17, 1, 58];

    private readonly List<(List<IPNetwork> Sources, List<(IPNetwork Prefix, int First, int Last)> Destinations, int[] Protocols)> _rules = [];

    public EvaluatedFilter(JsonElement rules)
    {
        foreach (var rule in rules.EnumerateArray().Where(rule => rule.TryGetProperty("DstPorts", out _)))
        {
            _rules.Add((
                [.. rule.GetProperty("SrcIPs").EnumerateArray().SelectMany(source => Networks(source.GetString()!))],
                [.. rule.GetProperty("DstPorts").EnumerateArray().SelectMany(destination => Networks(destination.GetProperty("IP").GetString()!)
                    .Select(prefix => (prefix, destination.GetProperty("Ports").GetProperty("First").GetInt32(), destination.GetProperty("Ports").GetProperty("Last").GetInt32())))],
                rule.TryGetProperty("IPProto", out var protocols) ? [.. protocols.EnumerateArray().Select(protocol => protocol.GetInt32())] : DefaultProtocols));
        }
    }

    /// <summary>Where some port range begins or ends, and what is just outside.</summary>
    public IEnumerable<int> Boundaries => _rules.SelectMany(rule => rule.Destinations).SelectMany(to => (int[])[to.First - 1, to.First, to.Last, to.Last + 1])
        .Concat([0, 22, 80, 443, 65_535]).Where(port => port is >= 0 and <= 65_535).Distinct();

    public IEnumerable<int> Protocols => _rules.SelectMany(rule => rule.Protocols).Concat(DefaultProtocols).Distinct();

    public bool Allows(IPAddress from, IPAddress to, int protocol, int port) => _rules.Any(rule =>
        rule.Protocols.Contains(protocol)
        && rule.Sources.Any(source => source.Contains(from))
        && rule.Destinations.Any(entry => entry.Prefix.Contains(to) && (protocol is not (6 or 17 or 132) || (entry.First <= port && port <= entry.Last))));

    private static IEnumerable<IPNetwork> Networks(string text)
    {
        if (text == "*") return [IPNetwork.Parse("0.0.0.0/0"), IPNetwork.Parse("::/0")];
        return [text.Contains('/', StringComparison.Ordinal) ? IPNetwork.Parse(text) : new IPNetwork(IPAddress.Parse(text), text.Contains(':', StringComparison.Ordinal) ? 128 : 32)];
    }
}
