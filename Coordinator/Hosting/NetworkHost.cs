using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;

namespace Mesh.Coordinator.Hosting;

/// <summary>One network at work in this process: its log and state, and the polls of its nodes. Owns them all.</summary>
internal sealed class NetworkHost(NetworkRuntime runtime, MapHub hub, NodeLifecycle lifecycle) : IAsyncDisposable
{
    public NetworkRuntime Runtime { get; } = runtime;

    public MapHub Hub { get; } = hub;

    public NodeLifecycle Lifecycle { get; } = lifecycle;

    public async ValueTask DisposeAsync()
    {
        Lifecycle.Dispose();
        Hub.Dispose();
        await Runtime.DisposeAsync();
    }
}
