using System.Collections.Immutable;
using System.Net;
using Mesh.Coordinator.Policy;
using Mesh.Crypto;

namespace Mesh.Coordinator.Network;

/// <summary>A machine in a network, as the log knows it. Immutable.</summary>
public sealed record Node
{
    /// <summary>Never 0, never reused in the network, below 2^53.</summary>
    public required ulong Id { get; init; }

    public required MachineKey MachineKey { get; init; }

    public required X25519PublicKey NodeKey { get; init; }

    /// <summary>Still valid beside <see cref="NodeKey"/> while a rotation is under way.</summary>
    public X25519PublicKey? PreviousNodeKey { get; init; }

    /// <summary>A DNS label, unique in the network.</summary>
    public required string Name { get; init; }

    /// <summary>The user's id; 0 for nobody: a tagged node, or one whose key named no user.</summary>
    public ulong OwnerId { get; init; }

    /// <summary>The owner's login, "" for none.</summary>
    public string User { get; init; } = "";

    /// <summary>"tag:..." each, sorted, without duplicates. A node that has any belongs to nobody.</summary>
    public ImmutableArray<string> Tags { get; init; } = [];

    public required IPAddress IPv4 { get; init; }

    public required IPAddress IPv6 { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>End of the authorisation; null for never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>False for a machine that had a key and waits until somebody lets it in.</summary>
    public bool Approved { get; init; }

    /// <summary>When <see cref="NodeKey"/> came into use.</summary>
    public DateTimeOffset KeyChangedAt { get; init; }

    /// <summary>Deleted at logout, and some time after it was last seen.</summary>
    public bool Ephemeral { get; init; }

    /// <summary>Keeps its id, name and addresses, but takes no part until it is authorised again.</summary>
    public bool LoggedOut { get; init; }

    /// <summary>The end of the authorisation has come, and the log says so.</summary>
    public bool Expired { get; init; }

    /// <summary>
    /// The position of the newest event that shows the machine alive. Deleting an ephemeral node for its absence names it, so
    /// that a sighting in between defeats the deletion.
    /// </summary>
    public long SightedAt { get; init; }

    /// <summary>The class that the network's policy puts the node in.</summary>
    public ClassId ClassId { get; init; }

    /// <summary>The pre-auth key that let it in, 0 for none.</summary>
    public ulong PreAuthKeyId { get; init; }

    public HostFacts Host { get; init; } = HostFacts.Unknown;

    public ImmutableArray<IPAddress> Addresses => [IPv4, IPv6];

    /// <summary>Whether it waits to be let in. No key is needed for that any more: one was used.</summary>
    public bool IsWaiting => this is { Approved: false, LoggedOut: false, Expired: false };

    /// <summary>Whether the node takes part: it may poll a map, and stands in others' maps.</summary>
    public bool IsMember(DateTimeOffset now) => Approved && !LoggedOut && !Expired && (ExpiresAt is null || now < ExpiresAt);
}

/// <summary>What a machine says about itself. Bounded and printable when it reaches the log.</summary>
public sealed record HostFacts(string Hostname, string Os, string OsVersion, string Architecture, string MeshVersion)
{
    public static HostFacts Unknown { get; } = new("", "", "", "", "");

    /// <summary>A bit for each number of <see cref="Mesh.Protocol.Control.Capability"/> that this coordinator knows. Peers are told.</summary>
    public ulong Capabilities { get; init; }
}
