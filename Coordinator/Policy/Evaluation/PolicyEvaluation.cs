using System.Collections.Immutable;
using System.Text.Json;

namespace Mesh.Coordinator.Policy.Evaluation;

/// <summary>
/// What a policy means for a fleet, node by node, rendered from the very classes that feed maps: each class of a filter is written as
/// the addresses of its nodes.
/// </summary>
public sealed class PolicyEvaluation
{
    /// <summary>Capabilities that come with another, in the other direction.</summary>
    private static readonly ImmutableDictionary<string, string> Companions = ImmutableDictionary.CreateRange(StringComparer.Ordinal,
    [
        KeyValuePair.Create("tailscale.com/cap/drive", "tailscale.com/cap/drive-sharer"),
        KeyValuePair.Create("tailscale.com/cap/relay", "tailscale.com/cap/relay-target"),
    ]);

    private readonly EvaluatedFleet _nodes;
    private readonly PolicyProgram _program;
    private readonly ImmutableArray<PolicyClass> _classes;
    private readonly FleetRoutes _routes;
    private readonly Dictionary<ulong, PolicyRouter> _routers;

    public PolicyEvaluation(PolicyProgram program, EvaluatedFleet fleet)
    {
        ArgumentNullException.ThrowIfNull(program);
        ArgumentNullException.ThrowIfNull(fleet);
        (_program, _nodes) = (program, fleet);
        Fleet = FleetPolicy.Of(program, fleet.Nodes.Select(node => node.Subject));
        _classes = [.. fleet.Nodes.Select(node => program.ClassOf(node.Subject))];
        _routers = fleet.Nodes.Zip(_classes).Where(pair => !pair.First.Subject.Routes.IsEmpty)
            .ToDictionary(pair => pair.First.Subject.Id, pair => new PolicyRouter(pair.First.Subject, pair.Second, pair.First.Primary));
        _routes = new FleetRoutes(program, [.. _routers.Values]);
    }

    public FleetPolicy Fleet { get; }

    /// <summary>Writes {"packetFilter": [...], "peers": {...}} for every node, by name.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        ArgumentNullException.ThrowIfNull(json);
        json.WriteStartObject();
        for (int i = 0; i < _nodes.Nodes.Length; i++)
        {
            json.WriteStartObject(_nodes.Nodes[i].Name);
            WriteFilter(json, i);
            WritePeers(json, i);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private void WriteFilter(Utf8JsonWriter json, int receiver)
    {
        var subject = _nodes.Nodes[receiver].Subject;
        json.WriteStartArray("packetFilter");
        foreach (var rule in Fleet.IngressOf(_classes[receiver]))
        {
            string[] sources = [.. SourcesOf(rule, subject), .. rule.Sources.Select(Short)];
            if (sources.Length == 0) continue;
            json.WriteStartObject();
            WriteTexts(json, "SrcIPs", sources);
            json.WriteStartArray("DstPorts");
            foreach (string destination in rule.Destinations.IsEmpty ? AddressesOf(subject, IpFamily.Both) : rule.Destinations.Select(Short))
                foreach (var ports in rule.Ports.IsEmpty ? [PortSpan.All] : rule.Ports) WriteDestination(json, destination, ports);
            json.WriteEndArray();
            if (!rule.Protocols.IsEmpty)
            {
                json.WriteStartArray("IPProto");
                foreach (byte protocol in rule.Protocols) json.WriteNumberValue(protocol);
                json.WriteEndArray();
            }
            json.WriteEndObject();
        }
        foreach (var rule in _program.Rules.Where(rule => rule.Granted is not null)) WriteCapabilities(json, rule, receiver);
        json.WriteEndArray();
    }

    /// <summary>Application capabilities: what peers may do in applications on this node. Kept and shown, not enforced by nodes.</summary>
    private void WriteCapabilities(Utf8JsonWriter json, ProgramRule rule, int node)
    {
        var subject = _nodes.Nodes[node].Subject;
        var holders = Enumerable.Range(0, _classes.Length).Where(other => Grants(rule, other, node)).ToArray();
        string[] sources = [.. holders.SelectMany(other => AddressesOf(_nodes.Nodes[other].Subject, IpFamily.Both)), .. RoutedSources(rule)];
        var capabilities = rule.Origin.Capabilities;
        if (holders.Length > 0) WriteCapability(json, sources, subject, [.. capabilities.Select(pair => (pair.Key, pair.Value))]);
        // And what comes along, from those who grant to those who are granted.
        string[] granters = [.. Enumerable.Range(0, _classes.Length).Where(other => Grants(rule, node, other)).SelectMany(other => AddressesOf(_nodes.Nodes[other].Subject, IpFamily.Both))];
        if (granters.Length == 0) return;
        foreach (var (name, _) in capabilities)
            if (Companions.TryGetValue(name, out string? companion)) WriteCapability(json, granters, subject, [(companion, "null")]);
    }

    private IEnumerable<string> RoutedSources(ProgramRule rule) => rule.Source.Everything
        ? _nodes.Nodes.SelectMany(node => node.Subject.Routes).Where(route => !route.IsDefaultRoute).Distinct().Select(Short) : [];

    private bool Grants(ProgramRule rule, int from, int to)
    {
        if ((rule.Source.Of(_classes[from]) & FactFlags.Own) == 0) return false;
        var target = rule.Granted!;
        bool self = target.MeansSelf(_classes[from], _classes[to])
            && _nodes.Nodes[from].Subject.EffectiveOwnerId == _nodes.Nodes[to].Subject.EffectiveOwnerId;
        return self || (target.Of(_classes[to]) & FactFlags.Own) != 0;
    }

    private static void WriteCapability(Utf8JsonWriter json, string[] sources, PolicySubject subject, (string Name, string Values)[] capabilities)
    {
        json.WriteStartObject();
        WriteTexts(json, "SrcIPs", sources);
        json.WriteStartArray("CapGrant");
        json.WriteStartObject();
        WriteTexts(json, "Dsts", subject.Addresses.Select(address => address.ToString()));
        json.WriteStartObject("CapMap");
        foreach (var (name, values) in capabilities)
        {
            json.WritePropertyName(name);
            json.WriteRawValue(values);
        }
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private IEnumerable<string> SourcesOf(ClassRule rule, PolicySubject receiver)
    {
        var classes = rule.Classes.ToHashSet();
        for (int i = 0; i < _classes.Length; i++)
        {
            var sender = _nodes.Nodes[i].Subject;
            if (!classes.Contains(_classes[i].Id)) continue;
            if (rule.SameOwner && (sender.EffectiveOwnerId == 0 || sender.EffectiveOwnerId != receiver.EffectiveOwnerId)) continue;
            foreach (string address in AddressesOf(sender, rule.Family)) yield return address;
        }
    }

    private void WritePeers(Utf8JsonWriter json, int viewer)
    {
        json.WriteStartObject("peers");
        for (int peer = 0; peer < _classes.Length; peer++)
        {
            if (peer == viewer || !Sees(viewer, peer)) continue;
            json.WriteStartObject(_nodes.Nodes[peer].Name);
            WriteTexts(json, "allowedIPs", PrefixesOf(viewer, peer).Select(prefix => prefix.ToString()));
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private bool Sees(int viewer, int peer) => _program.RelationOf(_classes[viewer], _classes[peer]) switch
    {
        ClassRelation.All => true,
        ClassRelation.SameOwner => _nodes.Nodes[viewer].Subject.EffectiveOwnerId is not 0 and var owner
            && owner == _nodes.Nodes[peer].Subject.EffectiveOwnerId,
        _ => false,
    };

    private IEnumerable<IpPrefix> PrefixesOf(int viewer, int peer)
    {
        var subject = _nodes.Nodes[peer].Subject;
        // Two nodes meet by IPv6 when either of them has no IPv4; routes stay what they are.
        bool withoutIPv4 = IsWithoutIPv4(subject) || IsWithoutIPv4(_nodes.Nodes[viewer].Subject);
        var addresses = subject.Addresses.Where(address => address.IsIPv6 || !withoutIPv4);
        return _routers.TryGetValue(subject.Id, out var router)
            ? addresses.Concat(_routes.RoutesFor(_nodes.Nodes[viewer].Subject, _classes[viewer], router))
            : addresses;
    }

    private bool IsWithoutIPv4(PolicySubject subject) =>
        _program.Document.WithoutIPv4.Any(selector => SubjectMatch.Means(_program.Document, selector, subject));

    private static IEnumerable<string> AddressesOf(PolicySubject subject, IpFamily family) => subject.Addresses
        .Where(address => family == IpFamily.Both || address.IsIPv6 == (family == IpFamily.IPv6))
        .Select(address => address.FirstAddress().ToString());

    /// <summary>A single address without its length.</summary>
    private static string Short(IpPrefix prefix) => prefix.IsSingleAddress ? prefix.FirstAddress().ToString() : prefix.ToString();

    private static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts) json.WriteStringValue(text);
        json.WriteEndArray();
    }

    private static void WriteDestination(Utf8JsonWriter json, string address, PortSpan ports)
    {
        json.WriteStartObject();
        json.WriteString("IP", address);
        json.WriteStartObject("Ports");
        json.WriteNumber("First", ports.First);
        json.WriteNumber("Last", ports.Last);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
