using System.Runtime.CompilerServices;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;

namespace Mesh.Coordinator.Network;

/// <summary>An event in words: who did what, when, to what.</summary>
/// <param name="NodeId">The node that the event is about, 0 for none.</param>
public sealed record LogLine(
    long Position, DateTimeOffset Time, Actor Actor, EventKind Kind, ulong NodeId, string Text, bool Erased, Bytes32 Hash)
{
    /// <summary>Puts a network's events in words, with the names that things had at the time.</summary>
    public static async IAsyncEnumerable<LogLine> ReadAsync(
        NetworkRuntime network, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        NetworkState? state = null;
        await foreach (var e in network.ReadLogAsync(cancellationToken).ConfigureAwait(false))
        {
            yield return Describe(e, state);
            state = NetworkFold.Apply(state, e);
        }
    }

    /// <param name="before">The state before the event, null for the first.</param>
    public static LogLine Describe(NetworkEvent e, NetworkState? before)
    {
        var (nodeId, text) = e.Payload switch
        {
            null => (0UL, "(erased)"),
            NetworkCreated p => (0UL, $"network {p.Name} created with {p.Ipv4Pool} and {p.Ipv6Prefix}"),
            PreAuthKeyCreated p => (0UL, $"pre-auth key {p.Id} created{Traits(p)}"),
            PreAuthKeyRevoked p => (0UL, $"pre-auth key {p.Id} revoked"),
            NodeRegistered p => (p.Id, $"node {p.Name} registered with pre-auth key {p.PreAuthKeyId}"),
            NodeReauthorized p => (p.Id, $"node {NameOf(before, p.Id)} let in again with pre-auth key {p.PreAuthKeyId}"),
            NodeKeyChanged p => (p.Id, $"node {NameOf(before, p.Id)} changed its node key"),
            NodeKeyRetired p => (p.Id, $"node {NameOf(before, p.Id)} gave up its previous node key"),
            NodeLoggedOut p => (p.Id, $"node {NameOf(before, p.Id)} logged out"),
            NodeDeleted p => (p.Id, $"node {NameOf(before, p.Id)} deleted"),
            NodeHostReported p => (p.Id, $"node {NameOf(before, p.Id)} reported another system or version"),
            PolicySet p => (0UL, $"policy set to {(p.Preset == PolicySet.Types.Preset.AllowAll ? "allow-all" : "deny-all")}"),
            _ => (0UL, e.Header.Kind.ToString()),
        };
        return new LogLine(
            e.Header.Position, e.Header.Time, e.Header.Actor, e.Header.Kind, nodeId, text, e.Payload is null, e.Hash);
    }

    private static string NameOf(NetworkState? state, ulong id) => state?.FindNode(id)?.Name ?? $"{id}";

    private static string Traits(PreAuthKeyCreated key) =>
        (key.Reusable ? ", reusable" : "")
        + (key.Ephemeral ? ", for ephemeral nodes" : "")
        + (key.User.Length > 0 ? $", for {key.User}" : "")
        + (key.Tags.Count > 0 ? $", with {string.Join(' ', key.Tags)}" : "")
        + (key.ExpiresAtMs == 0 ? ", never expires" : $", until {DateTimeOffset.FromUnixTimeMilliseconds(key.ExpiresAtMs):u}");
}
