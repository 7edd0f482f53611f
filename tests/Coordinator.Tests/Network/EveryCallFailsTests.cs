using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Microsoft.Extensions.Logging.Abstractions;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

/// <summary>
/// A scripted life of a network (registrations, changes, an erasure, restarts, snapshots every few events) in which each call
/// of the store fails in turn. Whatever fails, the life ends in the state that was acknowledged, with everything done once.
/// </summary>
public sealed class EveryCallFailsTests
{
    private const string Outcome = "www:False:expired allow keys 1:1 erased 4";

    private static readonly RuntimeSizes Small = new(States: 2, Commands: 8, SnapshotInterval: 3);

    public static TheoryData<LogStoreFault, bool> Faults => new()
    {
        { LogStoreFault.DiskFull, false },
        { LogStoreFault.Locked, false },
        { LogStoreFault.Io, false },
        { LogStoreFault.Io, true }, // The worst: it is done, and nobody knows.
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_failure_at_any_call_ends_in_the_state_that_was_acknowledged(LogStoreFault fault, bool afterwards)
    {
        HashSet<string> failed = [];
        for (var call = 0; ; call++)
        {
            var store = new FailingStore();
            await using var network = await CreateAsync(store: store);
            // Secrets are shown by their first answer only, so the keys are made while nothing fails.
            var ours = await network.NewKeyAsync();
            var anns = await network.NewKeyAsync(new CreatePreAuthKey { User = "ann" });
            await network.Runtime.DisposeAsync();
            store.FailCall(call, new LogStoreException(fault, "injected"), afterwards);
            var life = new Life(network);
            await life.RunAsync(ours, anns);
            store.Mend();

            await using var fresh = await NetworkRuntime.OpenAsync(network.Log(), network.Clock, NullLogger.Instance, Small);
            Assert.Equal($"call {call}: {Outcome}", $"call {call}: {await DescribeAsync(fresh)}");
            Assert.Equal(5 + Life.Commands, fresh.State.Position);
            if (store.Failed is null)
                break;
            failed.Add(store.Failed);
        }

        Assert.Superset(new HashSet<string> { "AppendAsync", "ReadAfterAsync", "ReadHeadAsync", "ReadSnapshotAsync", "WriteSnapshotAsync", "EraseAsync" }, failed);
    }

    private static async Task<string> DescribeAsync(NetworkRuntime network)
    {
        var erased = 0;
        await foreach (var e in network.ReadLogAsync(TestContext.Current.CancellationToken))
            erased += e.Payload is null ? 1 : 0;
        return string.Join(' ', network.State.Nodes.Values.OrderBy(node => node.Id).Select(node =>
                $"{node.Name}:{node.LoggedOut}:{(node.Expired ? "expired" : "good")}"))
            + (network.State.Policy.Text == NetworkPolicy.AllowAllText ? " allow" : " deny") + " keys "
            + string.Join(' ', network.State.PreAuthKeys.Values.OrderBy(key => key.Id).Select(key => $"{key.Id}:{key.Uses}")) + $" erased {erased}";
    }

    private sealed class Life(TestNetwork network)
    {
        public const int Commands = 11;

        private NetworkRuntime? _runtime;

        public async Task RunAsync(string ours, string anns)
        {
            var web = (await DoAsync(Registering("web", ours))).Node;
            var laptop = (await DoAsync(Registering("anns-laptop", anns))).Node;
            await DoAsync(new SetPolicy(NetworkPolicy.AllowAllText));
            await DoAsync(new RotateNodeKey(web.Id, NewNodeKey()));
            await DoAsync(new RenameNode(laptop.Id, "anns"));
            await RestartAsync();
            await DoAsync(new RenameNode(web.Id, "www"));
            await DoAsync(new DeleteUser(laptop.OwnerId, WithNodes: true));
            var key = IdempotencyKey.New();
            await TryAsync(runtime => runtime.EraseUserAsync("ann", Root, key, TestContext.Current.CancellationToken));
            await RestartAsync();
            await DoAsync(new RecordHostFacts(web.Id, web.Host with { Os = "linux" }));
            await DoAsync(new SetNodeExpiry(web.Id, DateTimeOffset.UnixEpoch));
            await DoAsync(new SightNode(web.Id));
            await _runtime!.DisposeAsync();
        }

        private Task<T> DoAsync<T>(ICommand<T> command)
        {
            var key = IdempotencyKey.New();
            return TryAsync(runtime => runtime.ExecuteAsync(command, Root, key).AsTask());
        }

        /// <summary>As whoever asks does: again until it is acknowledged; and as a supervisor does: a start after each end.</summary>
        private async Task<T> TryAsync<T>(Func<NetworkRuntime, Task<T>> action)
        {
            while (true)
            {
                try
                {
                    _runtime ??= await NetworkRuntime.OpenAsync(network.Log(), network.Clock, NullLogger.Instance, Small);
                    return await action(_runtime);
                }
                catch (LogStoreException e)
                {
                    if (!e.IsTransient)
                        await RestartAsync();
                }
            }
        }

        private async Task RestartAsync()
        {
            if (_runtime is not null)
                await _runtime.DisposeAsync();
            _runtime = null;
        }
    }
}
