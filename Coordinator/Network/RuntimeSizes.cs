namespace Mesh.Coordinator.Network;

/// <summary>How much of the past a network's runtime keeps at hand.</summary>
/// <param name="States">States kept for resuming nodes.</param>
/// <param name="Commands">Commands whose repetition is recognised; opening reads at least so many events.</param>
/// <param name="SnapshotInterval">
/// Events from one snapshot to the next, or as many as the network has nodes and keys, whichever is more: so writing
/// snapshots costs a constant share of what writing the events does.
/// </param>
public sealed record RuntimeSizes(int States = 1024, int Commands = 8192, int SnapshotInterval = 8192)
{
    public static RuntimeSizes Default { get; } = new();
}
