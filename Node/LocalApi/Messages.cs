using System.Text.Json.Serialization;
using Mesh.Node.Cli;

namespace Mesh.Node.LocalApi;

// The local API: a client writes one request, one JSON object on a line; the daemon answers with lines, each one JSON object
// with exactly one member: any number of "reply", and at the end one "done" or one "error". Then it closes.

/// <summary>What the daemon is asked. Only the member that belongs to the verb is set.</summary>
internal sealed record LocalRequest(
    string Verb, UpRequest? Up = null, LogoutRequest? Logout = null, PingRequest? Ping = null, WhyRequest? Why = null)
{
    public const string UpVerb = "up";
    public const string DownVerb = "down";
    public const string StatusVerb = "status";
    public const string PingVerb = "ping";
    public const string LogoutVerb = "logout";
    public const string WhyVerb = "why";
    public const string RotateVerb = "rotate";
}

/// <param name="Link">A join link with its secret; null to bring up what was joined before.</param>
/// <param name="Hostname">Null: what the host calls itself, or what was given before.</param>
/// <param name="Endpoints">ADDRESS:PORT each; null: as before.</param>
/// <param name="Mtu">Null: as before, or the default.</param>
internal sealed record UpRequest(string? Link, string? Hostname, string[]? Endpoints, int? Mtu);

/// <param name="Force">Forget the network here even when the coordinator can't be told.</param>
internal sealed record LogoutRequest(bool Force);

/// <param name="Host">A peer's name or one of its addresses.</param>
internal sealed record PingRequest(string Host, int Count);

/// <param name="Host">A peer's name or one of its addresses.</param>
/// <param name="Port">Null for protocols without.</param>
/// <param name="Protocol">Its number, 1 to 255.</param>
internal sealed record WhyRequest(string Host, int? Port, int Protocol);

internal sealed record LocalAnswer(PingReply? Reply = null, DoneAnswer? Done = null, ErrorAnswer? Error = null);

internal sealed record DoneAnswer(NodeStatus? Status = null, UpAnswer? Up = null, WhyAnswer? Why = null, RotateAnswer? Rotate = null);

/// <param name="NodeKey">The new one.</param>
internal sealed record RotateAnswer(string NodeKey);

/// <param name="ApprovalCode">Not null: the machine is pending; an administrator approves it by this code.</param>
internal sealed record UpAnswer(string Network, string Name, IReadOnlyList<string> Addresses, string? ApprovalCode);

internal sealed record ErrorAnswer(ExitCode Code, string What, string? Next);

/// <summary>One echo. <paramref name="LatencyMs"/> is null when no answer came, and <paramref name="Reason"/> says why.</summary>
internal sealed record PingReply(
    string Host, string Address, int Sequence, string Path, string? Endpoint, double? LatencyMs, string? Reason);

/// <summary>What <c>mesh why --json</c> prints.</summary>
/// <param name="ClassId">The peer's, as filters name it.</param>
/// <param name="Drops">Packets of the peer that the filter dropped, by reason.</param>
internal sealed record WhyAnswer(
    string Host, string Address, int? Port, int Protocol, string ClassId, WhyDirection Outbound, WhyDirection Inbound,
    IReadOnlyDictionary<string, long> Drops);

/// <param name="Verdict">One of the constants.</param>
internal sealed record WhyDirection(string Verdict, string Reason)
{
    public const string Allowed = "allowed";
    public const string Denied = "denied";
    public const string PeerDecides = "peer decides";
}

/// <summary>What <c>mesh status --json</c> prints. Members are added, never renamed or removed.</summary>
internal sealed record NodeStatus(SelfStatus Self, CoordinatorStatus Coordinator, IReadOnlyList<PeerStatus> Peers);

/// <param name="State">"up", "down", "pending", "expired", "removed" or "none" (in no network).</param>
/// <param name="Addresses">In the mesh, without prefix length.</param>
internal sealed record SelfStatus(
    string? Name, string? Network, IReadOnlyList<string> Addresses, string? NodeKey, string State, string Interface, int ListenPort,
    string? ApprovalCode, DateTimeOffset? ExpiresAt, IReadOnlyList<string> Warnings);

/// <param name="Position">Of the network's log, as of the map in use.</param>
/// <param name="Error">Why there is no contact.</param>
internal sealed record CoordinatorStatus(bool Connected, ulong Position, string? Address, string? Error);

/// <param name="Path">"direct", "relayed" or "none".</param>
/// <param name="Reason">Why there is no path.</param>
/// <param name="LatencyMs">Of the newest ping.</param>
/// <param name="PolicyDrops">Packets of the peer that the policy did not let through.</param>
internal sealed record PeerStatus(
    string Name, IReadOnlyList<string> Addresses, bool Online, string Path, string? Endpoint, string? Relay, string? Reason,
    double? LatencyMs, long RxBytes, long TxBytes, DateTimeOffset? LastHandshake, long PolicyDrops = 0);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = false, MaxDepth = 8)]
[JsonSerializable(typeof(LocalRequest))]
[JsonSerializable(typeof(LocalAnswer))]
[JsonSerializable(typeof(NodeStatus))]
[JsonSerializable(typeof(WhyAnswer))]
internal sealed partial class LocalJson : JsonSerializerContext;
