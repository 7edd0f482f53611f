using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Presence;

namespace Mesh.Coordinator.Hosting;

/// <summary>One network at work in this process: its log and state, and the polls of its nodes. Owns them all.</summary>
internal sealed class NetworkHost(NetworkRuntime runtime, MapHub hub, NodeLifecycle lifecycle, PresenceKeeper presence) : IAsyncDisposable
{
    public NetworkRuntime Runtime { get; } = runtime;

    public MapHub Hub { get; } = hub;

    public NodeLifecycle Lifecycle { get; } = lifecycle;

    /// <summary>Remembers who is where, and ends the polls. To be followed by disposal, or by the end of the process.</summary>
    public void Stop()
    {
        presence.SaveLastWord();
        Hub.Stop();
    }

    public async ValueTask DisposeAsync()
    {
        Lifecycle.Dispose();
        Hub.Dispose();
        presence.Dispose();
        await Runtime.DisposeAsync();
    }
}
