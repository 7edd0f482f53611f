using System.Collections.Immutable;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Evaluation;
using Mesh.Crypto;

namespace Mesh.Coordinator.Network;

/// <summary>
/// A network at one position of its log: the fold of every event up to there. Immutable; two states of one network share
/// everything in which they don't differ.
/// </summary>
public sealed record NetworkState
{
    public required NetworkId Id { get; init; }

    public required string Name { get; init; }

    /// <summary>The last event that is folded in.</summary>
    public required LogPoint Point { get; init; }

    public long Position => Point.Position;

    public required ImmutableDictionary<ulong, Node> Nodes { get; init; }

    /// <summary>Node id by <see cref="MachineKey.Id"/>.</summary>
    public required ImmutableDictionary<Bytes32, ulong> NodesByMachineKey { get; init; }

    /// <summary>Node id by node key; previous keys stand here too while they are valid.</summary>
    public required ImmutableDictionary<X25519PublicKey, ulong> NodesByNodeKey { get; init; }

    public required NameTable Names { get; init; }

    public required AddressPlan AddressPlan { get; init; }

    public required AddressPool Addresses { get; init; }

    public required ImmutableDictionary<ulong, PreAuthKey> PreAuthKeys { get; init; }

    public required ImmutableDictionary<Bytes32, ulong> PreAuthKeysByHash { get; init; }

    public required ImmutableDictionary<ulong, User> Users { get; init; }

    public required ImmutableDictionary<string, ulong> UsersByName { get; init; }

    /// <summary>User id by e-mail address in lower case, for those who have one.</summary>
    public required ImmutableDictionary<string, ulong> UsersByEmail { get; init; }

    public required NetworkPolicy Policy { get; init; }

    public NetworkSettings Settings { get; init; } = NetworkSettings.Default;

    /// <summary>The position of the event that set the policy, 0 for the policy that a network is born with.</summary>
    public long PolicyPosition { get; init; }

    /// <summary>When the network is removed for good; null while it is not deleted.</summary>
    public DateTimeOffset? PurgeAt { get; init; }

    public required ulong NextNodeId { get; init; }

    public required ulong NextPreAuthKeyId { get; init; }

    public required ulong NextUserId { get; init; }

    /// <summary>That of the first user's e-mail address; "" for none.</summary>
    public string Domain => Users.IsEmpty ? "" : PolicyAcceptance.DomainOf(Users.Values.MinBy(user => user.Id)!.Email);

    public Node? FindNode(ulong id) => Nodes.GetValueOrDefault(id);

    public Node? FindNode(MachineKey machineKey) => FindByMachineKey(machineKey.Id);

    public Node? FindByMachineKey(Bytes32 machineKeyId) =>
        NodesByMachineKey.TryGetValue(machineKeyId, out var id) ? Nodes[id] : null;

    public Node? FindByNodeKey(X25519PublicKey nodeKey) =>
        NodesByNodeKey.TryGetValue(nodeKey, out var id) ? Nodes[id] : null;

    public Node? FindByName(string name) => Names.TryGet(name, out var id) ? Nodes[id] : null;

    /// <param name="name">In lower case.</param>
    public User? FindUser(string name) => UsersByName.TryGetValue(name, out var id) ? Users[id] : null;

    /// <summary>Whom a policy means by a word: by his name, also with an @ behind it, or by his e-mail address.</summary>
    /// <param name="word">In lower case.</param>
    public User? FindUserInPolicy(string word) =>
        FindUser(word) ?? (word.EndsWith('@') ? FindUser(word[..^1]) : null) ?? (UsersByEmail.TryGetValue(word, out var id) ? Users[id] : null);

    /// <summary>The nodes that belong to a user; looks at every node.</summary>
    public IEnumerable<Node> NodesOf(ulong userId) => Nodes.Values.Where(node => node.OwnerId == userId);

    /// <summary>What a policy can know of a node.</summary>
    public PolicySubject SubjectOf(Node node) => new()
    {
        Id = node.Id,
        OwnerId = node.OwnerId,
        UserName = node.User,
        UserEmail = Users.GetValueOrDefault(node.OwnerId)?.Email ?? "",
        Tags = node.Tags,
        IPv4 = IpPrefix.Of(node.IPv4),
        IPv6 = IpPrefix.Of(node.IPv6),
    };

    public PreAuthKey? FindPreAuthKey(Bytes32 hash) =>
        PreAuthKeysByHash.TryGetValue(hash, out var id) ? PreAuthKeys[id] : null;
}
