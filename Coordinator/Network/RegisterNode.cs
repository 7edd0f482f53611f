using System.Collections.Immutable;
using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;
using Mesh.Crypto;
using Mesh.Protocol;

namespace Mesh.Coordinator.Network;

/// <summary>
/// Lets a machine in, or back in. The caller has checked that the machine holds both private keys. Repeating it is safe by what
/// the state says; an idempotency key, if any, must be new for each attempt of the machine to register, since a machine may
/// leave and come back with the same node key.
/// <list type="number">
/// <item>A member with this node key: nothing changes. So a registration whose answer was lost can be repeated, also when its
/// single-use key was used up by it.</item>
/// <item>A member with another node key: the key changes. Neither needs a pre-auth key, nor does a machine that used one and waits
/// to be let in.</item>
/// <item>A known machine that logged out or expired: needs a valid key; id, name and addresses stay.</item>
/// <item>A machine never seen: needs a valid key; gets an id, a name and addresses. Where the network asks for approval it waits,
/// unless its key is pre-approved.</item>
/// </list>
/// </summary>
public sealed class RegisterNode : ICommand<Registration>
{
    public required MachineKey MachineKey { get; init; }

    public required X25519PublicKey NodeKey { get; init; }

    /// <summary>The pre-auth key's text, or null.</summary>
    public string? PreAuthKey { get; init; }

    public HostFacts Host { get; init; } = HostFacts.Unknown;

    public Decision<Registration> Decide(NetworkState state, DecisionContext context)
    {
        var holder = state.FindByNodeKey(NodeKey);
        if (NodeKey.IsZero || (holder is not null && !holder.MachineKey.Equals(MachineKey)))
            throw new CommandRefusedException(RefusalReason.NodeKeyInUse, "Another machine of the network holds this node key.");

        var node = state.FindNode(MachineKey);
        if (node is not null && (node.IsMember(context.Now) || node.IsWaiting))
            return DecideMember(node);

        var key = FindKey(state, context.Now);
        var (ownerId, user) = key.Tags.IsEmpty ? (key.UserId, key.User) : (0, "");
        var isApproved = node is { Approved: true } || key.PreApproved || !state.Settings.ApprovalRequired;
        return new Admission(key.Id, ownerId, user, key.Tags, key.Ephemeral, isApproved).Decide(state, context, node, MachineKey, NodeKey, Host);
    }

    public Registration Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        state.FindNode(MachineKey) is { } node ? new Registration(node, IsNew: false) : throw NetworkValues.OtherCommand();

    private Decision<Registration> DecideMember(Node node)
    {
        var id = node.Id;
        IMessage[] events = node.NodeKey == NodeKey ? [] : [new NodeKeyChanged { Id = id, NodeKey = Bytes(NodeKey) }];
        return new(events, after => new Registration(after.Nodes[id], IsNew: false));
    }

    private PreAuthKey FindKey(NetworkState state, DateTimeOffset now)
    {
        if (string.IsNullOrEmpty(PreAuthKey))
        {
            throw new CommandRefusedException(
                RefusalReason.PreAuthKeyRequired, "The machine is no member of this network. Join it with a key, or have it approved.");
        }

        if (!PreAuthKeyText.TryHash(PreAuthKey, out var hash) || state.FindPreAuthKey(hash) is not { } key)
            throw new CommandRefusedException(RefusalReason.PreAuthKeyUnknown, "This network has no such pre-auth key.");
        return key.StatusAt(now) switch
        {
            PreAuthKeyStatus.Used => throw new CommandRefusedException(
                RefusalReason.PreAuthKeyUsed, "The pre-auth key was used by another machine; it was for one only."),
            PreAuthKeyStatus.Expired => throw new CommandRefusedException(
                RefusalReason.PreAuthKeyExpired, $"The pre-auth key expired at {key.ExpiresAt:u}."),
            PreAuthKeyStatus.Revoked => throw new CommandRefusedException(
                RefusalReason.PreAuthKeyRevoked, "An administrator revoked the pre-auth key."),
            _ => key,
        };
    }

    private static ByteString Bytes(X25519PublicKey key) => ByteString.CopyFrom(key.AsSpan());
}

/// <param name="IsNew">False when the machine was known before.</param>
public sealed record Registration(Node Node, bool IsNew);
