using System.Net;
using System.Runtime.CompilerServices;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;
using Mesh.Coordinator.Policy;

namespace Mesh.Coordinator.Network;

/// <summary>An event in words: who did what, when, to what, with the names that things had at the time.</summary>
/// <param name="Who">The actor, with a node's name where it is known.</param>
/// <param name="NodeId">The node that the event is about, 0 for none.</param>
/// <param name="NodeName">Its name before the event, or by it; "" when not known.</param>
public sealed record LogLine(NetworkEvent Event, string Who, ulong NodeId, string NodeName, string Text)
{
    public long Position => Event.Header.Position;

    public DateTimeOffset Time => Event.Header.Time;

    public Actor Actor => Event.Header.Actor;

    public EventKind Kind => Event.Header.Kind;

    public bool Erased => Event.Payload is null;

    /// <summary>Puts a network's events in words.</summary>
    /// <param name="nameOf">As for <see cref="Describe"/>.</param>
    public static async IAsyncEnumerable<LogLine> ReadAsync(
        NetworkRuntime network, Func<Actor, string?>? nameOf = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // A table of names is all that the words need; it outlives the nodes, so that what comes late still has one.
        Dictionary<ulong, string> names = [];
        await foreach (var e in network.ReadLogAsync(cancellationToken).ConfigureAwait(false))
            yield return Describe(e, names, nameOf);
    }

    /// <param name="names">The names of nodes before the event; afterwards, those after it.</param>
    /// <param name="nameOf">What the log itself does not name: admin tokens. Null for an actor that it does not know either.</param>
    public static LogLine Describe(NetworkEvent e, IDictionary<ulong, string> names, Func<Actor, string?>? nameOf = null)
    {
        var who = e.Header.Actor is { Kind: ActorKind.Node, Id: var actorId } && names.TryGetValue(actorId, out var actorName)
            ? $"{actorName} ({e.Header.Actor})"
            : nameOf?.Invoke(e.Header.Actor) ?? e.Header.Actor.ToString();
        var id = NodeOf(e.Payload);
        if (e.Payload is NodeRegistered registered)
            names[id] = registered.Name;
        var name = names.TryGetValue(id, out var known) ? known : "";
        var text = Words(e, name.Length > 0 ? name : $"{id}");
        if (e.Payload is NodeRenamed renamed)
            names[id] = renamed.Name;
        return new LogLine(e, who, id, name, text);
    }

    private static ulong NodeOf(IMessage? payload) => payload switch
    {
        NodeRegistered p => p.Id,
        NodeReauthorized p => p.Id,
        NodeKeyChanged p => p.Id,
        NodeKeyRetired p => p.Id,
        NodeLoggedOut p => p.Id,
        NodeDeleted p => p.Id,
        NodeHostReported p => p.Id,
        NodeRenamed p => p.Id,
        NodeExpirySet p => p.Id,
        NodeExpired p => p.Id,
        NodeSighted p => p.Id,
        NodeTagged p => p.Id,
        NodeApproved p => p.Id,
        _ => 0,
    };

    private static string Words(NetworkEvent e, string node) => e.Payload switch
    {
        null => "(erased)",
        NetworkCreated p => $"network {p.Name} created with {p.Ipv4Pool} and {p.Ipv6Prefix}",
        NetworkDeletionScheduled p => $"network deleted, to be removed at {At(p.PurgeAtMs)}",
        NetworkDeletionCancelled => "deletion of the network taken back",
        DataErased p => $"data of {p.UserIds.Count} users, {p.Nodes.Count} nodes and {p.PreAuthKeyIds.Count} pre-auth keys erased from {p.Positions.Count} events",
        PreAuthKeyCreated p => $"pre-auth key {p.Id} created{Traits(p)}",
        PreAuthKeyRevoked p => $"pre-auth key {p.Id} revoked",
        UserCreated p => $"user {p.Name} created as user {p.Id}",
        UserRenamed p => $"user {p.Id} renamed to {p.Name}",
        UserDeleted p => $"user {p.Id} deleted",
        NodeRegistered p => $"node {p.Name} registered ({Address(p.Ipv4)}, {Address(p.Ipv6)}){By(p.PreAuthKeyId)}{For(p.User, p.Tags)}",
        NodeApproved p => $"node {node} approved{For(p.User, p.Tags)}",
        NetworkSettingsChanged p => $"settings changed: {NetworkSettings.Read(p.ApprovalRequired, p.NodeLifetimeMs, p.KeyRotationMs)}",
        NodeReauthorized p => $"node {node} let in again{By(p.PreAuthKeyId)}{For(p.User, p.Tags)}",
        NodeKeyChanged p => $"node {node} changed its node key{(p.KeepPrevious ? "; the one before is still answered" : "")}",
        NodeKeyRetired => $"node {node} gave up its previous node key",
        NodeLoggedOut => $"node {node} logged out",
        NodeDeleted => $"node {node} deleted",
        NodeHostReported p => $"node {node} runs {p.Host?.Os} {p.Host?.OsVersion}, mesh {p.Host?.MeshVersion}",
        NodeRenamed p => $"node {node} renamed to {p.Name}",
        NodeExpirySet p => p.ExpiresAtMs == 0 ? $"node {node} made to expire never" : $"node {node} made to expire at {At(p.ExpiresAtMs)}",
        NodeExpired => $"node {node} expired",
        NodeTagged p => $"node {node} tagged {string.Join(", ", p.Tags)}",
        NodeSighted => $"node {node} came back just before its deletion",
        PolicySet p => p.Text switch
        {
            NetworkPolicy.AllowAllText => "policy set to allow-all",
            NetworkPolicy.DenyAllText => "policy set to deny-all",
            _ => $"policy set, {p.Text.AsSpan().Count('\n') + 1} lines",
        },
        _ => e.Header.Kind.ToString(),
    };

    private static string Traits(PreAuthKeyCreated key) =>
        (key.Reusable ? ", reusable" : "") + (key.Ephemeral ? ", for ephemeral nodes" : "") + (key.PreApproved ? ", pre-approved" : "") + For(key.User, key.Tags)
        + (key.ExpiresAtMs == 0 ? ", never expires" : $", until {At(key.ExpiresAtMs)}");

    private static string By(ulong keyId) => keyId == 0 ? "" : $" by pre-auth key {keyId}";

    private static string For(string user, RepeatedField<string> tags) =>
        (user.Length == 0 ? "" : $" for {user}") + (tags.Count == 0 ? "" : " with " + string.Join(", ", tags));

    private static string Address(ByteString bytes) => bytes.Length is 4 or 16 ? new IPAddress(bytes.Span).ToString() : "?";

    private static string At(long unixMilliseconds) => $"{DateTimeOffset.FromUnixTimeMilliseconds(unixMilliseconds):u}";
}
