namespace Mesh.Coordinator.Presence;

/// <summary>How a session came to its end while its connection was still there.</summary>
public enum SessionEnd
{
    /// <summary>The same daemon opened a newer one.</summary>
    Reconnected,

    /// <summary>A daemon with another boot id did: either a restart, or a state directory that was copied.</summary>
    OtherBoot,

    /// <summary>The node was deleted.</summary>
    Forgotten,
}

/// <summary>
/// A node's live connection. Only the newest of a node's sessions counts: an older one that ends late takes nobody offline.
/// Dispose of it when the connection ends.
/// </summary>
public sealed class PresenceSession : IDisposable
{
    private readonly NetworkPresence _presence;
    private readonly TaskCompletionSource<SessionEnd> _superseded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal PresenceSession(NetworkPresence presence, ulong nodeId, UInt128 bootId, bool tookOverFromOtherBoot)
    {
        _presence = presence;
        NodeId = nodeId;
        BootId = bootId;
        TookOverFromOtherBoot = tookOverFromOtherBoot;
    }

    public ulong NodeId { get; }

    /// <summary>When it began, a session of another boot was alive: a copied state directory, or a quick restart.</summary>
    public bool TookOverFromOtherBoot { get; }

    /// <summary>Completes when a newer session takes over; the connection should be closed then.</summary>
    public Task<SessionEnd> Superseded => _superseded.Task;

    internal UInt128 BootId { get; }

    public void Dispose() => _presence.End(this);

    internal void Supersede(SessionEnd end) => _superseded.TrySetResult(end);
}
