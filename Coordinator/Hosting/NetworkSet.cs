using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Registration;
using Mesh.Coordinator.Trust;
using Mesh.Protocol;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Hosting;

/// <summary>
/// The networks of this coordinator, by name: opened, made, deleted and, once their grace is over, removed. Nothing of one is
/// reached through another: each has a directory, log, keys, runtime, presence and hub of its own. Thread-safe.
/// </summary>
internal sealed partial class NetworkSet(
    NetworkDirectory directory, CoordinatorKeys keys, PreviousKeyRetirement retirement, WaitingRoom waiting, byte[] tokenKey, TimeProvider clock, CoordinatorMetrics metrics,
    ILogger<MapHub> log) : IAsyncDisposable
{
    private static readonly TimeSpan PurgeInterval = TimeSpan.FromMinutes(1);

    /// <summary>One network is made or removed at a time.</summary>
    private readonly SemaphoreSlim _changing = new(1);
    private readonly ConcurrentDictionary<string, NetworkHost> _networks = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ITimer? _purging;

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
            // One that had networks and lost them all on purpose is not given another.
            if (directory.List().Count == 0 && !directory.IsUsed)
                await directory.CreateAsync(NetworkName.Default, AddressPlan.New(), Actor.System, IdempotencyKey.None);
            directory.MarkUsed();
            foreach (string name in directory.List()) await OpenAsync(name);
            await PurgeDueAsync();
            _purging = clock.CreateTimer(_ => _ = PurgeOnTimeAsync(), null, PurgeInterval, PurgeInterval);
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
        return _networks.TryGetValue(header!.Network, out network!) && network.Runtime.State.PurgeAt is null ? null : Problems.UnknownNetwork;
    }

    /// <summary>The network that a request names and the machine's node in it; a problem when it is no member.</summary>
    public Problem? FindMember(RequestHeader? header, MachineFeature machine, out NetworkHost network, out Node node)
    {
        node = null!;
        if (Find(header, out network) is { } problem) return problem;
        if (network.Runtime.State.FindByMachineKey(machine.Id) is not { } found) return Problems.NotRegistered;
        if (!found.IsMember(clock.GetUtcNow())) return found is { Approved: true, LoggedOut: false } ? Problems.Expired : Problems.NotRegistered;
        node = found;
        return null;
    }

    /// <summary>Makes a network and serves it. Null when there is one of that name.</summary>
    /// <exception cref="CommandRefusedException">The plan is none, or there are as many networks as there may be.</exception>
    public async Task<NetworkHost?> CreateAsync(string name, AddressPlan addresses, Actor actor, IdempotencyKey key)
    {
        await _changing.WaitAsync();
        try
        {
            if (_networks.Count >= NetworkLimits.Networks)
                throw new CommandRefusedException(RefusalReason.LimitReached, $"A coordinator has at most {NetworkLimits.Networks} networks.");
            return await directory.CreateAsync(name, addresses, actor, key) ? await OpenAsync(name) : null;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Removes the networks whose grace is over.</summary>
    public async Task PurgeDueAsync()
    {
        await _changing.WaitAsync();
        try
        {
            foreach (var (name, network) in _networks)
            {
                if (!(network.Runtime.State.PurgeAt <= clock.GetUtcNow()) || !_networks.TryRemove(name, out _)) continue;
                await network.DisposeAsync();
                directory.Remove(name);
                LogRemoved(log, name);
            }
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Asks every node to come back later.</summary>
    public void Stop()
    {
        foreach (var network in _networks.Values) network.Stop();
    }

    public async ValueTask DisposeAsync()
    {
        if (_purging is not null) await _purging.DisposeAsync();
        foreach (var network in _networks.Values) await network.DisposeAsync();
        _networks.Clear();
        _changing.Dispose();
    }

    private async Task PurgeOnTimeAsync()
    {
        try
        {
            await PurgeDueAsync();
        }
        catch (LogStoreException e)
        {
            LogNotRemoved(log, e.Message);
        }
        catch (ObjectDisposedException)
        {
            // We are stopping; the next start goes on.
        }
    }

    private async Task<NetworkHost> OpenAsync(string name)
    {
        var presence = directory.OpenPresence(name);
        NetworkRuntime runtime;
        try
        {
            runtime = await directory.OpenAsync(name, presence.Presence);
        }
        catch
        {
            presence.Dispose();
            throw;
        }
        presence.Start(id => runtime.State.FindNode(id) is not null);
        var hub = new MapHub(runtime, [.. tokenKey], clock, metrics, log, keys);
        var network = new NetworkHost(runtime, hub, new NodeLifecycle(runtime, clock, log), presence);
        runtime.StateChanged += change => ServeOrNot(hub, change);
        if (runtime.State.PurgeAt is not null) hub.Stop();
        retirement.Watch(network);
        waiting.Watch(runtime);
        _networks[name] = network;
        _ = WatchAsync(runtime);
        return network;
    }

    // A deleted network's nodes are told to come back, and find nothing for as long as it stays deleted.
    private static void ServeOrNot(MapHub hub, StateChange change)
    {
        if (change.Before.PurgeAt is null && change.After.PurgeAt is not null) hub.Stop();
        else if (change.Before.PurgeAt is not null && change.After.PurgeAt is null) hub.Resume();
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

    [LoggerMessage(EventId = 1011, Level = LogLevel.Warning, Message = "The grace of the deleted network {Network} is over; it was removed")]
    private static partial void LogRemoved(ILogger logger, string network);

    [LoggerMessage(EventId = 1012, Level = LogLevel.Error, Message = "A deleted network could not be removed for now: {Reason}")]
    private static partial void LogNotRemoved(ILogger logger, string reason);
}
