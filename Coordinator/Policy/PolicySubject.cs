using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy;

/// <summary>
/// All that a policy can know of a node. Two nodes of equal subjects (their ids and addresses apart, unless the policy names
/// addresses) are in one class.
/// </summary>
public sealed record PolicySubject
{
    /// <summary>Node id, never 0.</summary>
    public required ulong Id { get; init; }

    /// <summary>The user whose node it is; 0 for a tagged node, and in a network without users.</summary>
    public ulong OwnerId { get; init; }

    /// <summary>The owner's name; a policy may write it with an @ behind it. "" for none.</summary>
    public string UserName { get; init; } = "";

    /// <summary>The owner's e-mail address. "" for none.</summary>
    public string UserEmail { get; init; } = "";

    /// <summary>"tag:..." each. A tagged node is no user's, whatever the owner says.</summary>
    public ImmutableArray<string> Tags { get; init; } = [];

    /// <summary>A single address; null for none.</summary>
    public IpPrefix? IPv4 { get; init; }

    /// <summary>A single address; null for none.</summary>
    public IpPrefix? IPv6 { get; init; }

    /// <summary>What the node routes for others and may: subnets, and 0.0.0.0/0 and ::/0 for an exit node. Sorted.</summary>
    public ImmutableArray<IpPrefix> Routes { get; init; } = [];

    /// <summary>The node's own, IPv4 first.</summary>
    public IEnumerable<IpPrefix> Addresses
    {
        get
        {
            if (IPv4 is { } four) yield return four;
            if (IPv6 is { } six) yield return six;
        }
    }

    public bool IsExitNode => Routes.Any(route => route.IsDefaultRoute);

    public bool IsTagged => !Tags.IsDefaultOrEmpty;

    /// <summary>0 unless a user's own.</summary>
    public ulong EffectiveOwnerId => IsTagged ? 0 : OwnerId;
}
