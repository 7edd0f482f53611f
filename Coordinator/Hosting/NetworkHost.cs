using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;

namespace Mesh.Coordinator.Hosting;

/// <summary>One network at work in this process: its log and state, and the polls of its nodes. Owns both.</summary>
internal sealed class NetworkHost(NetworkRuntime runtime, MapHub hub) : IAsyncDisposable
{
    public NetworkRuntime Runtime { get; } = runtime;

    public MapHub Hub { get; } = hub;

    public async ValueTask DisposeAsync()
    {
        Hub.Dispose();
        await Runtime.DisposeAsync();
    }
}
