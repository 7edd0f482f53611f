using System.Net;
using Google.Protobuf;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Network.Events;

namespace Mesh.Coordinator.Admin;

/// <summary>An event of the log in words.</summary>
internal static class EventText
{
    public static string Of(NetworkEvent e) => e.Payload switch
    {
        null => "erased",
        NetworkCreated p => $"network {p.Name} created with {p.Ipv4Pool} and {p.Ipv6Prefix}",
        PreAuthKeyCreated p => $"pre-auth key {p.Id} created{(p.Reusable ? ", reusable" : "")}{(p.Ephemeral ? ", ephemeral" : "")}"
            + For(p.User, p.Tags),
        PreAuthKeyRevoked p => $"pre-auth key {p.Id} revoked",
        NodeRegistered p => $"node {p.Id} registered as {p.Name} ({Address(p.Ipv4)}, {Address(p.Ipv6)}){By(p.PreAuthKeyId)}{For(p.User, p.Tags)}",
        NodeReauthorized p => $"node {p.Id} let in again{By(p.PreAuthKeyId)}{For(p.User, p.Tags)}",
        NodeKeyChanged p => $"node {p.Id} has a new node key{(p.KeepPrevious ? "; the one before is still answered" : "")}",
        NodeKeyRetired p => $"node {p.Id} has one node key again",
        NodeLoggedOut p => $"node {p.Id} logged out",
        NodeDeleted p => $"node {p.Id} deleted",
        NodeHostReported p => $"node {p.Id} runs {p.Host?.Os} {p.Host?.OsVersion}, mesh {p.Host?.MeshVersion}",
        PolicySet p => p.Preset == PolicySet.Types.Preset.AllowAll ? "policy set to allow-all" : "policy set to deny-all",
        _ => e.Header.Kind.ToString(),
    };

    private static string By(ulong keyId) => keyId == 0 ? "" : $" by pre-auth key {keyId}";

    private static string For(string user, Google.Protobuf.Collections.RepeatedField<string> tags) =>
        (user.Length == 0 ? "" : $" for {user}") + (tags.Count == 0 ? "" : " with " + string.Join(", ", tags));

    private static string Address(ByteString bytes) => bytes.Length is 4 or 16 ? new IPAddress(bytes.Span).ToString() : "?";
}
