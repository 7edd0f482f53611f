using System.Text.Json;
using System.Text.Json.Serialization;
using Mesh.Coordinator.Hosting;

namespace Mesh.Coordinator.Admin;

// What the admin API says, and what --json prints: the same objects. Times are RFC 3339 in UTC; absent fields are unset.

internal sealed record StatusModel(
    string Version, string Address, string? AdminAddress, string Pin, string StateDirectory, bool RootKeyHeld, DateTimeOffset IssuerExpires,
    IReadOnlyList<NetworkModel> Networks);

/// <param name="NodeLifetimeSeconds">0 for no end; KeyRotationSeconds 0 for never.</param>
/// <param name="PolicyProblem">As <see cref="PolicyModel.Problem"/>.</param>
internal sealed record NetworkModel(
    string Name, string Id, long Position, string Policy, int Nodes, int Online, string Ipv4Pool, string Ipv6Prefix, DateTimeOffset? PurgeAt,
    bool ApprovalRequired, long NodeLifetimeSeconds, long KeyRotationSeconds, string? PolicyProblem);

/// <summary>A network to make. Pools that are absent are the usual ones.</summary>
internal sealed record CreateNetworkModel([property: JsonRequired] string Name)
{
    public string? Ipv4Pool { get; init; }

    public string? Ipv6Prefix { get; init; }
}

/// <summary>What is absent stays as it is; 0 seconds stand for never.</summary>
internal sealed record NetworkSettingsModel
{
    public bool? ApprovalRequired { get; init; }

    public long? NodeLifetimeSeconds { get; init; }

    public long? KeyRotationSeconds { get; init; }
}

/// <summary>A machine that waits to be let in.</summary>
/// <param name="Node">The name of a machine that the network knows already.</param>
/// <param name="User">Whom it will belong to unless somebody else is named.</param>
/// <param name="Source">Where it asks from.</param>
internal sealed record WaitingMachineModel(
    string Code, string Hostname, string Os, string OsVersion, string Architecture, string MeshVersion, string Source, DateTimeOffset Since,
    string? Node, string? User, IReadOnlyList<string> Tags, string NodeKey, string MachineKey);

/// <param name="Machine">The code that a waiting machine shows; or the id or name of one that registered with a key and waits.</param>
internal sealed record ApproveModel([property: JsonRequired] string Machine)
{
    public string? User { get; init; }

    public IReadOnlyList<string>? Tags { get; init; }
}

/// <param name="Nodes">How many machines belong to the user.</param>
internal sealed record UserModel(ulong Id, string Name, string? DisplayName, string? Email, int Nodes, DateTimeOffset CreatedAt);

internal sealed record CreateUserModel([property: JsonRequired] string Name)
{
    public string? DisplayName { get; init; }

    public string? Email { get; init; }
}

internal sealed record RenameUserModel([property: JsonRequired] string Name);

/// <param name="Tags">In place of those it has; at least one.</param>
internal sealed record TagNodeModel([property: JsonRequired] IReadOnlyList<string> Tags);

internal sealed record RenameNodeModel([property: JsonRequired] string Name);

/// <param name="InSeconds">0 for now, null for never.</param>
internal sealed record ExpireNodeModel([property: JsonRequired, JsonIgnore(Condition = JsonIgnoreCondition.Never)] long? InSeconds);

/// <param name="PublicKey">SubjectPublicKeyInfo, base64; so are those of earlier roots, oldest first.</param>
/// <param name="NextPin">Of the announced next root; absent when none is.</param>
internal sealed record RootModel(
    string Pin, string Address, bool KeyHeld, DateTimeOffset IssuerExpires, string PublicKey, string? NextPin, IReadOnlyList<string> PastPublicKeys);

/// <param name="PrivateKey">PKCS#8, base64.</param>
internal sealed record ExportedRootModel(string PrivateKey);

/// <param name="Signature">The root's over "mesh root removal v1", the pin, and SHA-256 of the issuer's certificate; IEEE P1363, base64.</param>
internal sealed record RemoveRootModel([property: JsonRequired] string Signature);

/// <summary>Public keys as SubjectPublicKeyInfo, and the present issuer's certificate as DER; base64.</summary>
internal sealed record RootRequestModel(string Pin, string IssuerPublicKey, string LogPublicKey, string IssuerCertificate);

internal sealed record RenewIssuerModel
{
    /// <summary>DER, base64, for the key that was asked for; absent when the root key is on the coordinator.</summary>
    public string? IssuerCertificate { get; init; }
}

/// <summary>Certificates as DER, base64. All absent: made on the coordinator.</summary>
internal sealed record NextRootModel
{
    public string? RootCertificate { get; init; }

    public string? IssuerCertificate { get; init; }

    public string? LogCertificate { get; init; }

    /// <summary>The present root's over "mesh next root v1", its pin and the next pin; IEEE P1363, base64.</summary>
    public string? Signature { get; init; }
}

internal sealed record SwitchRootModel([property: JsonRequired] string Pin);

internal sealed record KeyModel(
    ulong Id, string Status, string? User, IReadOnlyList<string> Tags, bool Reusable, bool Ephemeral, bool PreApproved, int Uses,
    DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt);

/// <summary>A new pre-auth key, with its secret, which is shown this once.</summary>
internal sealed record CreatedKeyModel(KeyModel Key, string Secret, string Link);

internal sealed record CreateKeyModel
{
    public string? User { get; init; }

    public IReadOnlyList<string>? Tags { get; init; }

    public bool Reusable { get; init; }

    public bool Ephemeral { get; init; }

    /// <summary>Its machines need no approval where the network asks for it.</summary>
    public bool PreApproved { get; init; }

    /// <summary>Absent: 24 hours. 0: never.</summary>
    public long? ExpiresInSeconds { get; init; }
}

/// <param name="State">"member", "expired", "logged-out", or "pending": it waits to be let in.</param>
/// <param name="ExpiresSoon">Its authorisation ends within 14 days.</param>
/// <param name="KeyRotating">The key before is still answered beside its node key.</param>
internal sealed record NodeModel(
    ulong Id, string Name, IReadOnlyList<string> Addresses, string NodeKey, string State, bool Online, DateTimeOffset? LastSeen,
    string? User, IReadOnlyList<string> Tags, bool Ephemeral, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, string Hostname,
    string Os, string OsVersion, string Architecture, string MeshVersion, string MachineKey, ulong PreAuthKeyId, string ClassId,
    IReadOnlyList<string> Endpoints, bool ExpiresSoon, DateTimeOffset KeyChangedAt, bool KeyRotating);

/// <param name="Text">The policy in force, as it was given.</param>
/// <param name="Kind">"allow-all", "deny-all" or "file".</param>
/// <param name="Etag">What If-Match takes to set another only in place of this one.</param>
/// <param name="Position">Of the event that set it; 0 for the policy that a network is born with.</param>
/// <param name="Problem">Why a policy that was set since is not in force: this version does not understand it. Absent as a rule.</param>
internal sealed record PolicyModel(string Text, string Kind, string Etag, long Position, string? Problem);

internal sealed record SetPolicyModel([property: JsonRequired] string Text);

/// <summary>What a policy would change.</summary>
/// <param name="MoreGains">Not listed; so are MoreLosses.</param>
/// <param name="Complete">False when the policies differ in too much to be compared to the end.</param>
/// <param name="Lines">The same for people.</param>
/// <param name="Notices">What of the policy has no effect on machines.</param>
/// <param name="Etag">Of the policy that it was compared with.</param>
internal sealed record PolicyEffectModel(
    IReadOnlyList<PolicyChangeModel> Gains, IReadOnlyList<PolicyChangeModel> Losses, int MoreGains, int MoreLosses, bool Complete,
    IReadOnlyList<string> Lines, IReadOnlyList<string> Notices, string Etag);

/// <param name="From">Who gains or loses: machines by tag, group, user or name; To is whom they reach, What by which protocols and ports.</param>
/// <param name="Machines">How many gain or lose.</param>
internal sealed record PolicyChangeModel(string From, string To, string What, int Machines);

/// <param name="Allowed">For all machines that were asked about.</param>
/// <param name="Rules">Which allow it, with their lines.</param>
/// <param name="Reasons">Why it is not allowed, and whether the two know of each other.</param>
internal sealed record PolicyExplanationModel(bool Allowed, string Answer, IReadOnlyList<string> Rules, IReadOnlyList<string> Reasons);

/// <param name="Node">The id of the node that the event is about.</param>
/// <param name="Erased">What it said was erased.</param>
internal sealed record EventModel(
    long Position, DateTimeOffset Time, string Actor, string Kind, ulong? Node, string What, bool Erased, string Hash);

/// <param name="Erased">Positions whose payload was erased; that is no problem.</param>
internal sealed record VerificationModel(
    string Network, bool Valid, long Position, string Hash, long Events, long Heads, IReadOnlyList<long> Erased,
    IReadOnlyList<VerificationProblemModel> Problems);

/// <summary>Whose data: one of the two.</summary>
internal sealed record EraseModel
{
    public string? User { get; init; }

    /// <summary>The id of a node that was deleted.</summary>
    public ulong? Node { get; init; }
}

/// <param name="Positions">Of the events that say nothing any more.</param>
internal sealed record ErasedModel(IReadOnlyList<long> Positions);

internal sealed record VerificationProblemModel(long Position, string Problem);

/// <param name="Next">Where the next page begins ("after"); absent on the last one.</param>
internal sealed record ListModel<T>(IReadOnlyList<T> Items, string? Next = null);

internal sealed record TokenModel(
    ulong Id, string Name, string Status, DateTimeOffset CreatedAt, string CreatedBy, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt,
    string? RevokedBy);

/// <summary>A new admin token, with its secret, which is shown this once.</summary>
/// <param name="Address">What --coordinator takes; absent when the admin API is not served over the network.</param>
internal sealed record CreatedTokenModel(TokenModel Token, string Secret, string? Address);

internal sealed record CreateTokenModel([property: JsonRequired] string Name)
{
    /// <summary>Absent: 90 days. 0: never.</summary>
    public long? ExpiresInSeconds { get; init; }
}

/// <summary>What 'nodes list --json' prints.</summary>
internal sealed record NodesOutput(IReadOnlyList<NodeModel> Items, IReadOnlyList<WaitingMachineModel> Waiting);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    NumberHandling = JsonNumberHandling.Strict, RespectNullableAnnotations = true, AllowDuplicateProperties = false, WriteIndented = true)]
[JsonSerializable(typeof(StatusModel))]
[JsonSerializable(typeof(RootModel))]
[JsonSerializable(typeof(CreatedKeyModel))]
[JsonSerializable(typeof(CreateKeyModel))]
[JsonSerializable(typeof(PolicyModel))]
[JsonSerializable(typeof(SetPolicyModel))]
[JsonSerializable(typeof(PolicyEffectModel))]
[JsonSerializable(typeof(PolicyExplanationModel))]
[JsonSerializable(typeof(VerificationModel))]
[JsonSerializable(typeof(EraseModel))]
[JsonSerializable(typeof(ErasedModel))]
[JsonSerializable(typeof(CreateNetworkModel))]
[JsonSerializable(typeof(RenameNodeModel))]
[JsonSerializable(typeof(TagNodeModel))]
[JsonSerializable(typeof(NetworkSettingsModel))]
[JsonSerializable(typeof(ApproveModel))]
[JsonSerializable(typeof(ListModel<WaitingMachineModel>))]
[JsonSerializable(typeof(NodesOutput))]
[JsonSerializable(typeof(UserModel))]
[JsonSerializable(typeof(CreateUserModel))]
[JsonSerializable(typeof(RenameUserModel))]
[JsonSerializable(typeof(ListModel<UserModel>))]
[JsonSerializable(typeof(ExpireNodeModel))]
[JsonSerializable(typeof(NetworkModel))]
[JsonSerializable(typeof(NodeModel))]
[JsonSerializable(typeof(ListModel<NetworkModel>))]
[JsonSerializable(typeof(ListModel<KeyModel>))]
[JsonSerializable(typeof(KeyModel))]
[JsonSerializable(typeof(ListModel<NodeModel>))]
[JsonSerializable(typeof(ListModel<EventModel>))]
[JsonSerializable(typeof(ExportedRootModel))]
[JsonSerializable(typeof(RemoveRootModel))]
[JsonSerializable(typeof(RootRequestModel))]
[JsonSerializable(typeof(RenewIssuerModel))]
[JsonSerializable(typeof(NextRootModel))]
[JsonSerializable(typeof(SwitchRootModel))]
[JsonSerializable(typeof(CreateTokenModel))]
[JsonSerializable(typeof(CreatedTokenModel))]
[JsonSerializable(typeof(ListModel<TokenModel>))]
[JsonSerializable(typeof(Problem))]
internal sealed partial class AdminJson : JsonSerializerContext;
