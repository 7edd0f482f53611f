using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;
using Mesh.Crypto;

namespace Mesh.Coordinator.Network;

/// <summary>
/// A node leaves. An ephemeral one is deleted; any other keeps its id, name and addresses for when its machine comes back.
/// </summary>
public sealed record LogoutNode(ulong NodeId) : ICommand<Done>
{
    public Decision<Done> Decide(NetworkState state, DecisionContext context)
    {
        var node = state.FindNode(NodeId) ?? throw NetworkValues.UnknownNode(NodeId);
        IMessage[] events = node switch
        {
            { Ephemeral: true } => [new NodeDeleted { Id = NodeId }],
            { LoggedOut: false } => [new NodeLoggedOut { Id = NodeId }],
            _ => [],
        };
        return new(events, _ => default);
    }

    public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
}

/// <summary>Removes a node for good: its id is never used again, its name and addresses are free.</summary>
public sealed record DeleteNode(ulong NodeId) : ICommand<Done>
{
    public Decision<Done> Decide(NetworkState state, DecisionContext context)
    {
        if (state.FindNode(NodeId) is null)
            throw NetworkValues.UnknownNode(NodeId);
        return new([new NodeDeleted { Id = NodeId }], _ => default);
    }

    public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
}

/// <summary>
/// Gives a member a new node key. The old one stays valid beside it until <see cref="RetirePreviousNodeKey"/>. The caller has
/// checked that the machine holds the new private key.
/// </summary>
public sealed record RotateNodeKey(ulong NodeId, X25519PublicKey NodeKey) : ICommand<Node>
{
    public Decision<Node> Decide(NetworkState state, DecisionContext context)
    {
        var node = state.FindNode(NodeId) ?? throw NetworkValues.UnknownNode(NodeId);
        if (!node.IsMember(context.Now))
            throw new CommandRefusedException(RefusalReason.NodeNotMember, "The node is not a member. Register it again.");
        if (node.NodeKey == NodeKey)
            return new([], after => after.Nodes[NodeId]);
        if (node.PreviousNodeKey is not null)
        {
            throw new CommandRefusedException(
                RefusalReason.RotationUnderWay, "The last rotation is still under way. Try again in a few minutes.");
        }

        if (NodeKey.IsZero || state.FindByNodeKey(NodeKey) is not null)
            throw new CommandRefusedException(RefusalReason.NodeKeyInUse, "Another machine of the network holds this node key.");
        var e = new NodeKeyChanged { Id = NodeId, NodeKey = ByteString.CopyFrom(NodeKey.AsSpan()), KeepPrevious = true };
        return new([e], after => after.Nodes[NodeId]);
    }

    public Node Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        state.FindNode(NodeId) ?? throw NetworkValues.UnknownNode(NodeId);
}

/// <summary>Ends a rotation: the key before it is valid no longer.</summary>
/// <param name="PreviousNodeKey">The key to retire; nothing changes when it is not the node's previous one any more.</param>
public sealed record RetirePreviousNodeKey(ulong NodeId, X25519PublicKey PreviousNodeKey) : ICommand<Done>
{
    public Decision<Done> Decide(NetworkState state, DecisionContext context) =>
        new(state.FindNode(NodeId)?.PreviousNodeKey == PreviousNodeKey ? [new NodeKeyRetired { Id = NodeId }] : [], _ => default);

    public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
}

/// <summary>Keeps what a machine says about itself. Nothing changes when it says the same as before.</summary>
public sealed record RecordHostFacts(ulong NodeId, HostFacts Host) : ICommand<Done>
{
    public Decision<Done> Decide(NetworkState state, DecisionContext context)
    {
        var node = state.FindNode(NodeId) ?? throw NetworkValues.UnknownNode(NodeId);
        IMessage[] events = node.Host == Host
            ? []
            : [new NodeHostReported
            {
                Id = NodeId, Host = NetworkValues.Write(Host), CapabilitiesChanged = node.Host.Capabilities != Host.Capabilities,
            }];
        return new(events, _ => default);
    }

    public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
}
