using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

/// <summary>A scripted life of a network in which one append after the other fails, each in every way there is.</summary>
public sealed class FaultTests
{
    /// <summary>The script's commands after its first; each is one append when nothing goes wrong.</summary>
    private const int Commands = 13;

    private const string Outcome = "www:True:True:linux:False:True allow keys 1:2:True 2:0:True";

    public static TheoryData<LogStoreFault, bool> Faults => new()
    {
        { LogStoreFault.DiskFull, false },
        { LogStoreFault.Locked, false },
        { LogStoreFault.Io, false },
        { LogStoreFault.Io, true }, // The worst: it is on disk, and nobody knows.
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_failure_at_any_append_loses_nothing_acknowledged_and_its_command_can_be_repeated(LogStoreFault fault, bool afterStoring)
    {
        for (var failing = 0; failing < Commands; failing++)
        {
            var store = new FaultyEventStore();
            await using var network = await CreateAsync(store: store);
            // The first command's result is a secret that only its first answer shows; so it is not among those that fail.
            var text = await network.NewKeyAsync(new CreatePreAuthKey { Reusable = true });
            store.FailAfter(failing, new LogStoreException(fault, "injected"), afterStoring);
            var life = new Life(network);
            await life.RunAsync(text);
            Assert.Equal(1, life.Failures);

            await using var fresh = await network.OpenAnotherAsync();
            Assert.Equal(Outcome, Life.Describe(fresh.State));
            Assert.Equal(2 + Commands, fresh.State.Position); // Everything once.
        }
    }

    private sealed class Life(TestNetwork network)
    {
        private readonly MachineKey _machine = NewMachineKey();
        private NetworkRuntime _runtime = network.Runtime;

        public int Failures { get; private set; }

        public static string Describe(NetworkState state) =>
            string.Join(' ', state.Nodes.Values.OrderBy(node => node.Id).Select(node =>
                $"{node.Name}:{node.Approved && !node.LoggedOut}:{node.PreviousNodeKey is null}:{node.Host.Os}:{node.Ephemeral}:{node.Expired}"))
            + (state.Policy.Text == NetworkPolicy.AllowAllText ? " allow" : " deny") + " keys "
            + string.Join(' ', state.PreAuthKeys.Values.OrderBy(key => key.Id).Select(key => $"{key.Id}:{key.Uses}:{key.RevokedAt is not null}"));

        public async Task RunAsync(string text)
        {
            var second = await DoAsync(new CreatePreAuthKey());
            await DoAsync(new RevokePreAuthKey(second.Key.Id));
            await DoAsync(new SetPolicy(NetworkPolicy.AllowAllText));
            var web = (await DoAsync(Registering("web", text, _machine))).Node;
            var db = (await DoAsync(Registering("db", text))).Node;
            await DoAsync(new RecordHostFacts(web.Id, web.Host with { Os = "linux" }));
            await DoAsync(new RotateNodeKey(db.Id, NewNodeKey()));
            await DoAsync(new LogoutNode(db.Id));
            await DoAsync(new RevokePreAuthKey(1));
            await DoAsync(new RenameNode(web.Id, "www"));
            await DoAsync(new SetNodeExpiry(web.Id, DateTimeOffset.UnixEpoch));
            await DoAsync(new SightNode(web.Id));
            await DoAsync(new DeleteNode(db.Id));
            if (!ReferenceEquals(_runtime, network.Runtime))
                await _runtime.DisposeAsync();
        }

        private async Task<TResult> DoAsync<TResult>(ICommand<TResult> command)
        {
            var key = IdempotencyKey.New();
            try
            {
                return await _runtime.ExecuteAsync(command, Root, key);
            }
            catch (LogStoreException e)
            {
                Failures++;
                if (!e.IsTransient)
                    _runtime = await network.OpenAnotherAsync();
                return await _runtime.ExecuteAsync(command, Root, key);
            }
        }
    }
}
