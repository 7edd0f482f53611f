using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Registration;
using Mesh.Protocol;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Hosting;

/// <summary>The networks of this coordinator, by name. Thread-safe.</summary>
internal sealed class NetworkSet(
    NetworkDirectory directory, PreviousKeyRetirement retirement, byte[] tokenKey, TimeProvider clock, CoordinatorMetrics metrics,
    ILogger<MapHub> log) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, NetworkHost> _networks = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when a network's log failed so that nobody knows what is durable: the process must end.</summary>
    public Task<Exception> Failed => _failed.Task;

    public IReadOnlyList<NetworkHost> All => [.. _networks.Values.OrderBy(n => n.Runtime.Name, StringComparer.Ordinal)];

    public NetworkDirectory Directory => directory;

    /// <summary>Opens what is there, and makes <see cref="NetworkName.Default"/> in a coordinator that has no network.</summary>
    /// <exception cref="StartFailure">A log can't be opened. The rest is not served without it: a network must not vanish.</exception>
    public async Task OpenAllAsync()
    {
        try
        {
            if (directory.List().Count == 0)
                await directory.CreateAsync(NetworkName.Default, AddressPlan.New(), Actor.System, IdempotencyKey.None);
            foreach (string name in directory.List()) await OpenAsync(name);
        }
        catch (LogStoreException e)
        {
            throw new StartFailure(
                e.Fault switch
                {
                    LogStoreFault.AccessDenied => ExitCode.StateDirectoryUnusable,
                    LogStoreFault.Locked => ExitCode.StateDirectoryInUse,
                    LogStoreFault.DiskFull or LogStoreFault.Io => ExitCode.StoreFailed,
                    _ => ExitCode.StateDamaged,
                },
                e.Message, "nothing was changed; see the exit codes in 'mesh-coordinator serve --help'", e);
        }
    }

    public bool TryGet(string name, [NotNullWhen(true)] out NetworkHost? network) => _networks.TryGetValue(name, out network);

    /// <summary>The network that a request names; a problem when its header is not right or there is none.</summary>
    public Problem? Find(RequestHeader? header, out NetworkHost network)
    {
        network = null!;
        if (RequestCheck.Header(header) is { } problem) return problem;
        return _networks.TryGetValue(header!.Network, out network!) ? null : Problems.UnknownNetwork;
    }

    /// <summary>The network that a request names and the machine's node in it; a problem when it is no member.</summary>
    public Problem? FindMember(RequestHeader? header, MachineFeature machine, out NetworkHost network, out Node node)
    {
        node = null!;
        if (Find(header, out network) is { } problem) return problem;
        if (network.Runtime.State.FindByMachineKey(machine.Id) is not { } found || !found.IsMember(clock.GetUtcNow()))
            return Problems.NotRegistered;
        node = found;
        return null;
    }

    /// <summary>Asks every node to come back later.</summary>
    public void Stop()
    {
        foreach (var network in _networks.Values) network.Hub.Stop();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var network in _networks.Values) await network.DisposeAsync();
        _networks.Clear();
    }

    private async Task OpenAsync(string name)
    {
        var runtime = await directory.OpenAsync(name);
        var network = new NetworkHost(runtime, new MapHub(runtime, [.. tokenKey], clock, metrics, log));
        retirement.Watch(network);
        _networks[name] = network;
        _ = WatchAsync(runtime);
    }

    private async Task WatchAsync(NetworkRuntime runtime)
    {
        try
        {
            await runtime.Completion;
        }
        catch (Exception e)
        {
            _failed.TrySetResult(e);
        }
    }
}
