using System.Collections.Immutable;
using System.Text.Json;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Evaluation;

/// <summary>A node of a file that a policy is tried on.</summary>
/// <param name="Primary">Of its routes, those for which it was chosen among several routers.</param>
public sealed record EvaluatedNode(string Name, PolicySubject Subject, ImmutableHashSet<IpPrefix> Primary);

/// <summary>
/// The users and nodes that a policy is tried on without a server:
/// <code>
///   {"users": [{"id": 1, "name": "alice", "email": "alice@example.com"}],
///    "nodes": {"laptop": {"user": "alice", "tags": [], "ipv4": "100.64.0.1", "ipv6": "fd00::1",
///                         "approved_routes": [], "primary_routes": []}}}
/// </code>
/// </summary>
public sealed class EvaluatedFleet
{
    private EvaluatedFleet(ImmutableArray<EvaluatedNode> nodes, string domain) => (Nodes, Domain) = (nodes, domain);

    /// <summary>In the order of the file.</summary>
    public ImmutableArray<EvaluatedNode> Nodes { get; }

    /// <summary>The network's own: that of its first user's e-mail address; "" for none.</summary>
    public string Domain { get; }

    /// <exception cref="PolicyRefusedException">The policy does not fit the users, or one of its tests does not hold.</exception>
    public void ThrowIfRefused(PolicyProgram program) => PolicyAcceptance.ThrowIfRefused(program, [.. Nodes.Select(node => node.Subject)], Domain);

    /// <exception cref="FormatException">The file is not of this form; says where.</exception>
    public static EvaluatedFleet Parse(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using var json = JsonDocument.Parse(utf8);
            return Read(json.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new FormatException($"the nodes file is not of the form that 'policy eval --help' shows: {e.Message}", e);
        }
    }

    private static EvaluatedFleet Read(JsonElement root)
    {
        Dictionary<string, (ulong Id, string Name, string Email)> users = new(StringComparer.Ordinal);
        if (root.TryGetProperty("users", out var list))
        {
            foreach (var user in list.EnumerateArray())
            {
                string name = Text(user, "name");
                users[name] = (user.GetProperty("id").GetUInt64(), name, Text(user, "email"));
            }
        }
        ulong id = 0;
        var nodes = root.GetProperty("nodes").EnumerateObject().Select(node => Read(node.Name, node.Value, ++id, users)).ToImmutableArray();
        return new EvaluatedFleet(nodes, PolicyAcceptance.DomainOf(users.Count == 0 ? "" : users.Values.MinBy(user => user.Id).Email));
    }

    private static EvaluatedNode Read(string name, JsonElement node, ulong id, Dictionary<string, (ulong Id, string Name, string Email)> users)
    {
        string userName = Text(node, "user");
        var user = users.TryGetValue(userName, out var known) ? known : (Id: 0UL, Name: userName, Email: "");
        var subject = new PolicySubject
        {
            Id = id,
            OwnerId = user.Id,
            UserName = user.Name,
            UserEmail = user.Email,
            Tags = [.. Texts(node, "tags")],
            IPv4 = Address(node, "ipv4"),
            IPv6 = Address(node, "ipv6"),
            // What a node is the chosen router for, it routes.
            Routes = [.. Texts(node, "approved_routes").Concat(Texts(node, "primary_routes")).Select(IpPrefix.Parse).Distinct().Order()],
        };
        return new EvaluatedNode(name, subject, [.. Texts(node, "primary_routes").Select(IpPrefix.Parse)]);
    }

    private static IpPrefix? Address(JsonElement node, string name) => Text(node, name) is { Length: > 0 } text ? IpPrefix.Parse(text) : null;

    private static string Text(JsonElement value, string name) =>
        value.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null ? found.GetString()! : "";

    private static IEnumerable<string> Texts(JsonElement value, string name) =>
        value.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null ? found.EnumerateArray().Select(item => item.GetString()!) : [];
}
