using System.Collections.Immutable;
using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;
using Mesh.Protocol;

namespace Mesh.Coordinator.Network;

/// <summary>Gives a node another name. The one it had is free at once.</summary>
public sealed record RenameNode(ulong NodeId, string Name) : ICommand<Node>
{
    public Decision<Node> Decide(NetworkState state, DecisionContext context)
    {
        var node = state.FindNode(NodeId) ?? throw NetworkValues.UnknownNode(NodeId);
        if (!DnsLabel.IsValid(Name))
            throw NetworkValues.Invalid("A node's name is a DNS label: 1 to 63 of a-z, 0-9 and '-', no '-' at either end.", "name");
        if (state.FindByName(Name) is { } holder && holder.Id != NodeId)
            throw new CommandRefusedException(RefusalReason.NameTaken, $"Node {holder.Id} has the name {Name}. Rename or delete it first.") { Field = "name" };
        IMessage[] events = node.Name == Name ? [] : [new NodeRenamed { Id = NodeId, Name = Name }];
        return new(events, after => after.Nodes[NodeId]);
    }

    public Node Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        state.FindNode(NodeId) ?? throw NetworkValues.UnknownNode(NodeId);
}

/// <summary>
/// Sets when a node's authorisation ends. An end that has passed ends it now; a later one, or none, lets an expired node back in.
/// </summary>
/// <param name="ExpiresAt">Null for never.</param>
public sealed record SetNodeExpiry(ulong NodeId, DateTimeOffset? ExpiresAt) : ICommand<Node>
{
    public Decision<Node> Decide(NetworkState state, DecisionContext context)
    {
        var node = state.FindNode(NodeId) ?? throw NetworkValues.UnknownNode(NodeId);
        var end = ExpiresAt < context.Now ? context.Now : ExpiresAt;
        if (end?.Year > 9000)
            throw NetworkValues.Invalid("A node's authorisation ends before the year 9000, or never.", "inSeconds");
        var unchanged = node.ExpiresAt?.ToUnixTimeMilliseconds() == end?.ToUnixTimeMilliseconds() || (node.Expired && end <= context.Now);
        IMessage[] events = unchanged ? [] : [new NodeExpirySet { Id = NodeId, ExpiresAtMs = end?.ToUnixTimeMilliseconds() ?? 0 }];
        return new(events, after => after.Nodes[NodeId]);
    }

    public Node Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        state.FindNode(NodeId) ?? throw NetworkValues.UnknownNode(NodeId);
}

/// <summary>
/// Gives a node tags in place of those it has. It belongs to nobody from then on, and its authorisation has no end; registering
/// it anew with a key gives it an owner again.
/// </summary>
public sealed record TagNode(ulong NodeId, ImmutableArray<string> Tags) : ICommand<Node>
{
    public Decision<Node> Decide(NetworkState state, DecisionContext context)
    {
        var node = state.FindNode(NodeId) ?? throw NetworkValues.UnknownNode(NodeId);
        var tags = NetworkValues.CheckTags(Tags);
        if (tags.IsEmpty)
            throw NetworkValues.Invalid("At least one tag: a machine that loses its last one would belong to nobody.", "tags");
        // One that it has already may stay, whatever the policy says by now.
        NetworkValues.CheckTagRights(state, null, tags.Except(node.Tags));
        var e = new NodeTagged { Id = NodeId };
        e.Tags.AddRange(tags);
        IMessage[] events = node.Tags.SequenceEqual(tags) ? [] : [e];
        return new(events, after => after.Nodes[NodeId]);
    }

    public Node Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        state.FindNode(NodeId) ?? throw NetworkValues.UnknownNode(NodeId);
}

/// <summary>A timer's word that a node's authorisation has ended. Nothing changes unless it has.</summary>
public sealed record NoteExpiry(ulong NodeId) : ICommand<Done>
{
    public Decision<Done> Decide(NetworkState state, DecisionContext context) =>
        new(state.FindNode(NodeId) is { Expired: false } node && node.ExpiresAt <= context.Now ? [new NodeExpired { Id = NodeId }] : [], _ => default);

    public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
}

/// <summary>A timer's deletion of an ephemeral node that stays away. Nothing changes when the node was sighted meanwhile.</summary>
/// <param name="SightedAt"><see cref="Node.SightedAt"/> when it was found to be absent.</param>
public sealed record DeleteAbsentNode(ulong NodeId, long SightedAt) : ICommand<Done>
{
    public Decision<Done> Decide(NetworkState state, DecisionContext context) =>
        new(state.FindNode(NodeId) is { Ephemeral: true } node && node.SightedAt == SightedAt ? [new NodeDeleted { Id = NodeId }] : [], _ => default);

    public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
}

/// <summary>Notes that an ephemeral node is there, which defeats a deletion that was decided on its absence.</summary>
public sealed record SightNode(ulong NodeId) : ICommand<Done>
{
    public Decision<Done> Decide(NetworkState state, DecisionContext context) =>
        new(state.FindNode(NodeId) is null ? throw NetworkValues.UnknownNode(NodeId) : [new NodeSighted { Id = NodeId }], _ => default);

    public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
}
