using System.Net;
using System.Text;
using System.Text.Json;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Evaluation;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>
/// What the reference control plane answered to policies, from "policy-captures" of the shared test data: the same verdict on every
/// probe packet, the same peers with the same prefixes, the same application capabilities, a refusal for a refusal.
/// </summary>
public sealed class CaptureTests
{
    private static readonly string[] Outside = ["8.8.8.8", "192.0.2.77", "2001:4860:4860::8888"];

    [Theory]
    [InlineData("acl")]
    [InlineData("grant")]
    [InlineData("mixed")]
    [InlineData("nodeattrs")]
    [InlineData("policytest")]
    [InlineData("routes")]
    [InlineData("ssh")]
    [InlineData("sshtest")]
    public void Every_capture_is_answered_as_the_reference_did(string category)
    {
        string path = Path.Combine(Environment.GetEnvironmentVariable("MESH_TEST_DATA") ?? "../shared", "policy-captures", category + ".json");
        Assert.SkipUnless(File.Exists(path), $"no policy-captures/{category}.json in the shared test data; set MESH_TEST_DATA to their folder");
        using var captures = JsonDocument.Parse(File.ReadAllBytes(path));
        List<string> wrong = [];
        int held = 0;
        foreach (var capture in captures.RootElement.EnumerateArray())
        {
            int code = capture.GetProperty("responseCode").GetInt32();
            if (code is not (200 or 400)) continue;
            held++;
            if (Check(capture, code == 200) is { } fault) wrong.Add($"{capture.GetProperty("id")}: {fault}");
        }
        Assert.True(held > 0);
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static string? Check(JsonElement capture, bool valid)
    {
        var fleet = EvaluatedFleet.Parse(Encoding.UTF8.GetBytes($$"""{"users": {{capture.GetProperty("users").GetRawText()}}, "nodes": {{capture.GetProperty("nodes").GetRawText()}}}"""));
        JsonElement got;
        try
        {
            var program = new PolicyProgram(PolicyDocument.Parse(capture.GetProperty("policy").GetRawText()));
            fleet.ThrowIfRefused(program);
            using var stream = new MemoryStream();
            using (var writer = new Utf8JsonWriter(stream)) new PolicyEvaluation(program, fleet).WriteTo(writer);
            got = JsonDocument.Parse(stream.ToArray()).RootElement;
        }
        catch (PolicyRefusedException refused)
        {
            return valid ? $"refused: {refused.Message}" : null;
        }
        if (!valid) return $"not refused, with {capture.GetProperty("message")}";
        foreach (var node in capture.GetProperty("expected").EnumerateObject())
        {
            if (!capture.GetProperty("nodes").TryGetProperty(node.Name, out var about)) continue;
            var have = got.GetProperty(node.Name);
            if (node.Value.TryGetProperty("packetFilter", out var filter)
                && (Filters(about, capture, filter, have.GetProperty("packetFilter")) ?? Capabilities(filter, have.GetProperty("packetFilter"))) is { } fault)
                return $"{node.Name}: {fault}";
            if (node.Value.TryGetProperty("peers", out var peers) && Peers(peers, capture.GetProperty("nodes")) is var want
                && Peers(have.GetProperty("peers"), capture.GetProperty("nodes")) is var seen && want != seen)
                return $"{node.Name}: peers want {want}, got {seen}";
        }
        return null;
    }

    private static string? Filters(JsonElement node, JsonElement capture, JsonElement want, JsonElement have)
    {
        var (wanted, got) = (Rules(want), Rules(have));
        SortedSet<int> ports = [0, 22, 80, 443, 65535], protocols = [6, 17, 1, 58];
        foreach (var rule in wanted.Concat(got))
        {
            protocols.UnionWith(rule.Protocols);
            foreach (var (_, first, last) in rule.Targets) ports.UnionWith(new[] { first - 1, first, last, last + 1 }.Where(port => port is >= 0 and <= 65535));
        }
        var sources = capture.GetProperty("nodes").EnumerateObject().SelectMany(other => Addresses(other.Value)).Concat(Outside).ToList();
        sources.AddRange(capture.GetProperty("nodes").EnumerateObject().SelectMany(other => Texts(other.Value, "routable_ips")).Where(route => !route.EndsWith("/0", StringComparison.Ordinal)).Select(Inside));
        var serves = Addresses(node).Concat(Texts(node, "approved_routes").Select(route => route == "0.0.0.0/0" ? "8.8.4.4" : Inside(route)));
        foreach (string destination in serves)
            foreach (string source in sources)
                foreach (int protocol in protocols)
                    foreach (int port in protocol is 6 or 17 or 132 ? (IEnumerable<int>)ports : [0])
                    {
                        if (source == destination || source.Contains(':', StringComparison.Ordinal) != destination.Contains(':', StringComparison.Ordinal)) continue;
                        bool x = Allows(wanted, source, destination, protocol, port), y = Allows(got, source, destination, protocol, port);
                        if (x != y) return $"{source} -> {destination} protocol {protocol} port {port}: want {x}, got {y}";
                    }
        return null;
    }

    private static string? Capabilities(JsonElement want, JsonElement have)
    {
        string Of(JsonElement rules) => string.Join('\n', (rules.ValueKind == JsonValueKind.Array ? rules.EnumerateArray() : default)
            .Where(rule => rule.TryGetProperty("CapGrant", out _)).Select(rule => Sorted(rule.GetProperty("CapGrant"))).Order(StringComparer.Ordinal));
        return Of(want) == Of(have) ? null : $"capabilities want {Of(want)}, got {Of(have)}";
    }

    private static string Sorted(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "{" + string.Join(',', value.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal).Select(member => $"\"{member.Name}\":{Sorted(member.Value)}")) + "}",
        JsonValueKind.Array => "[" + string.Join(',', value.EnumerateArray().Select(Sorted)) + "]",
        _ => value.GetRawText(),
    };

    private static string Peers(JsonElement peers, JsonElement nodes) => peers.ValueKind != JsonValueKind.Object ? "" : string.Join(' ', peers.EnumerateObject()
        .Where(peer => nodes.TryGetProperty(peer.Name, out _)).OrderBy(peer => peer.Name, StringComparer.Ordinal)
        .Select(peer => $"{peer.Name}[{string.Join(',', Texts(peer.Value, "allowedIPs").Order(StringComparer.Ordinal))}]"));

    private sealed record ProbeRule(List<Func<UInt128, bool, bool>> Sources, List<(Func<UInt128, bool, bool> Holds, int First, int Last)> Targets, int[] Protocols);

    private static List<ProbeRule> Rules(JsonElement rules) => rules.ValueKind != JsonValueKind.Array ? [] :
        [.. rules.EnumerateArray().Where(rule => rule.TryGetProperty("DstPorts", out var ports) && ports.ValueKind == JsonValueKind.Array).Select(rule => new ProbeRule(
            [.. Texts(rule, "SrcIPs").Select(Span)],
            [.. rule.GetProperty("DstPorts").EnumerateArray().Select(target => (Span(target.GetProperty("IP").GetString()!),
                target.GetProperty("Ports").GetProperty("First").GetInt32(), target.GetProperty("Ports").GetProperty("Last").GetInt32()))],
            rule.TryGetProperty("IPProto", out var protocols) && protocols.ValueKind == JsonValueKind.Array && protocols.GetArrayLength() > 0
                ? [.. protocols.EnumerateArray().Select(protocol => protocol.GetInt32())] : [6, 17, 1, 58]))];

    private static bool Allows(List<ProbeRule> rules, string source, string destination, int protocol, int port)
    {
        var (from, to) = (IPAddress.Parse(source), IPAddress.Parse(destination));
        bool six = from.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;
        UInt128 fromNumber = IpPrefix.Of(from).First, toNumber = IpPrefix.Of(to).First;
        return rules.Any(rule => rule.Protocols.Contains(protocol) && rule.Sources.Any(span => span(fromNumber, six))
            && rule.Targets.Any(target => target.Holds(toNumber, six) && (protocol is not (6 or 17 or 132) || (target.First <= port && port <= target.Last))));
    }

    private static Func<UInt128, bool, bool> Span(string text)
    {
        if (text == "*") return (_, _) => true;
        int dash = text.IndexOf('-', StringComparison.Ordinal);
        if (dash < 0)
        {
            var prefix = IpPrefix.Parse(text);
            return (number, six) => six == prefix.IsIPv6 && number >= prefix.First && number <= prefix.Last;
        }
        IpPrefix first = IpPrefix.Parse(text[..dash]), last = IpPrefix.Parse(text[(dash + 1)..]);
        return (number, six) => six == first.IsIPv6 && number >= first.First && number <= last.First;
    }

    private static string Inside(string route)
    {
        var prefix = IpPrefix.Parse(route);
        var offset = UInt128.Min(9, prefix.Last - prefix.First);
        return IpPrefix.Create(prefix.IsIPv6, prefix.First + offset, prefix.Bits).FirstAddress().ToString();
    }

    private static IEnumerable<string> Addresses(JsonElement node) => new[] { "ipv4", "ipv6" }
        .Select(name => node.TryGetProperty(name, out var address) ? address.GetString() : null).OfType<string>().Where(address => address.Length > 0);

    private static IEnumerable<string> Texts(JsonElement value, string name) =>
        value.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray().Select(item => item.GetString()!) : [];
}
