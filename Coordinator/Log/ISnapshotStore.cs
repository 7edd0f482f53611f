namespace Mesh.Coordinator.Log;

/// <summary>
/// A store that keeps a few snapshots beside its log. They only save time: whoever finds none, or a damaged one, reads the
/// log. Failures are <see cref="LogStoreException"/>s.
/// </summary>
public interface ISnapshotStore
{
    /// <summary>Snapshots kept; writing one more drops the oldest.</summary>
    const int SnapshotsKept = 3;

    ValueTask WriteSnapshotAsync(SignedSnapshot snapshot);

    /// <summary>The newest snapshot at a position or before it, null for none. It is not checked in any way.</summary>
    ValueTask<SignedSnapshot?> ReadSnapshotAsync(long atOrBefore);
}
