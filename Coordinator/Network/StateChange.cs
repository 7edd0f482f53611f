namespace Mesh.Coordinator.Network;

/// <summary>A step from one durable state to the next.</summary>
/// <param name="Events">What lies between the two, in order; never empty.</param>
public sealed record StateChange(NetworkState Before, NetworkState After, IReadOnlyList<NetworkEvent> Events);
