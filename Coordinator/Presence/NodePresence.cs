using System.Collections.Immutable;
using System.Net;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Presence;

/// <summary>A place where a node may be reached. Compares by value.</summary>
public readonly record struct PresenceEndpoint(IPAddress Address, ushort Port, EndpointSource Source);

/// <summary>What is known of a node from moment to moment. Immutable.</summary>
public sealed record NodePresence
{
    public required ulong NodeId { get; init; }

    /// <summary>It has a live session.</summary>
    public bool Online { get; init; }

    /// <summary>Best first.</summary>
    public ImmutableArray<PresenceEndpoint> Endpoints { get; init; } = [];

    /// <summary>The presence version at which <see cref="Online"/> or <see cref="Endpoints"/> last changed.</summary>
    public long Version { get; init; }
}

/// <summary>Everyone's presence at one version. Immutable; a node that is absent is offline, with no endpoints.</summary>
public sealed record PresenceView(long Version, ImmutableDictionary<ulong, NodePresence> Nodes)
{
    public NodePresence? Find(ulong nodeId) => Nodes.GetValueOrDefault(nodeId);

    public bool IsOnline(ulong nodeId) => Find(nodeId) is { Online: true };
}
