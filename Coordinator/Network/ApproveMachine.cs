using System.Collections.Immutable;
using Mesh.Coordinator.Network.Events;
using Mesh.Crypto;

namespace Mesh.Coordinator.Network;

/// <summary>
/// An administrator lets a waiting machine in. The caller has checked that the machine holds both private keys.
/// <list type="number">
/// <item>A member: nothing changes.</item>
/// <item>A machine that registered with a key and waits: it is in, with the key's owner and tags unless others are named.</item>
/// <item>A known machine that logged out or expired: it is in again, as whose it was unless somebody else is named.</item>
/// <item>A machine never seen: gets an id, a name and addresses.</item>
/// </list>
/// </summary>
public sealed class ApproveMachine : ICommand<Registration>
{
    public required MachineKey MachineKey { get; init; }

    public required X25519PublicKey NodeKey { get; init; }

    public HostFacts Host { get; init; } = HostFacts.Unknown;

    /// <summary>The login of a user of the network, "" for none.</summary>
    public string User { get; init; } = "";

    public ImmutableArray<string> Tags { get; init; } = [];

    public Decision<Registration> Decide(NetworkState state, DecisionContext context)
    {
        var named = User.Length == 0 ? null : NetworkValues.FindUser(state, User);
        var tags = NetworkValues.CheckTags(Tags);
        NetworkValues.CheckTagRights(state, named, tags);
        if (state.FindByNodeKey(NodeKey) is { } holder && !holder.MachineKey.Equals(MachineKey))
            throw new CommandRefusedException(RefusalReason.NodeKeyInUse, "Another machine of the network holds this node key.");

        var node = state.FindNode(MachineKey);
        if (node is not null && node.IsMember(context.Now))
            return new([], after => new Registration(after.Nodes[node.Id], IsNew: false));
        var (ownerId, user) = !tags.IsEmpty ? (0, "") : named is not null ? (named.Id, named.Name) : (node?.OwnerId ?? 0, node?.User ?? "");
        if (tags.IsEmpty && named is null && node is not null)
            tags = node.Tags;
        if (node is not { IsWaiting: true })
            return new Admission(0, ownerId, user, tags, node?.Ephemeral ?? false, IsApproved: true).Decide(state, context, node, MachineKey, NodeKey, Host);
        var e = new NodeApproved
        {
            Id = node.Id, OwnerId = ownerId, User = user, ExpiresAtMs = state.Settings.EndOf(ownerId, context.Now)?.ToUnixTimeMilliseconds() ?? 0,
        };
        e.Tags.AddRange(tags);
        return new([e], after => new Registration(after.Nodes[node.Id], IsNew: false));
    }

    public Registration Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        state.FindNode(MachineKey) is { } node ? new Registration(node, IsNew: false) : throw NetworkValues.OtherCommand();
}
