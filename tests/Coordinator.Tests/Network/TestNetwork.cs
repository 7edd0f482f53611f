using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Tests.Log;
using Mesh.Crypto;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Coordinator.Tests.Network;

/// <summary>A network on a store in memory, whose clock the test moves.</summary>
internal sealed class TestNetwork : IAsyncDisposable
{
    public static readonly Actor Root = Actor.LocalAdmin(1000);

    private readonly TestSigner _signer = new();
    private readonly byte[] _dataKey = RandomNumberGenerator.GetBytes(DataKey.Length);

    private TestNetwork(IEventStore store) => Store = store;

    public ManualClock Clock { get; } = new();

    public IEventStore Store { get; }

    public NetworkRuntime Runtime { get; private set; } = null!;

    public NetworkState State => Runtime.State;

    public static async Task<TestNetwork> CreateAsync(AddressPlan? addresses = null, IEventStore? store = null)
    {
        var network = new TestNetwork(store ?? new MemoryEventStore(NetworkId.New()));
        Assert.True(await NetworkRuntime.CreateAsync(
            network.Log(), "test", addresses ?? AddressPlan.New(), Actor.System, IdempotencyKey.None, network.Clock));
        network.Runtime = await network.OpenAnotherAsync();
        return network;
    }

    public EventLog Log() => new(Store, new PayloadSealer(Store.Network, new DataKey(_dataKey)), _signer);

    /// <summary>A second runtime on the same store, as another coordinator would have.</summary>
    public Task<NetworkRuntime> OpenAnotherAsync() => NetworkRuntime.OpenAsync(Log(), Clock, NullLogger.Instance);

    public ValueTask<TResult> DoAsync<TResult>(ICommand<TResult> command) =>
        Runtime.ExecuteAsync(command, Root, IdempotencyKey.New(), TestContext.Current.CancellationToken);

    /// <summary>A key; its user is made if need be.</summary>
    public async Task<string> NewKeyAsync(CreatePreAuthKey? command = null)
    {
        if (command is { User.Length: > 0 } && State.FindUser(command.User) is null)
            await DoAsync(new CreateUser(command.User));
        return (await DoAsync(command ?? new CreatePreAuthKey())).Text!;
    }

    public async Task<Node> JoinAsync(string hostname, CreatePreAuthKey? key = null, MachineKey? machine = null) =>
        (await DoAsync(Registering(hostname, await NewKeyAsync(key), machine))).Node;

    public async Task<RefusalReason> RefusalAsync<TResult>(ICommand<TResult> command) =>
        (await Assert.ThrowsAsync<CommandRefusedException>(async () => await DoAsync(command))).Reason;

    public static RegisterNode Registering(
        string hostname, string? key, MachineKey? machine = null, X25519PublicKey? nodeKey = null) => new()
        {
            MachineKey = machine ?? NewMachineKey(),
            NodeKey = nodeKey ?? NewNodeKey(),
            PreAuthKey = key,
            Host = HostFacts.Unknown with { Hostname = hostname },
        };

    /// <summary>Random bytes: nothing in the folder parses machine keys.</summary>
    public static MachineKey NewMachineKey() => new(RandomNumberGenerator.GetBytes(MachineKey.MaxSpkiLength));

    public static X25519PublicKey NewNodeKey() => new(RandomNumberGenerator.GetBytes(X25519PublicKey.Length));

    /// <summary>All that a state holds, in words, for comparing two.</summary>
    public static string Describe(NetworkState state)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{state.Id} {state.Name} {state.Point} {state.Policy.Text} {state.Policy.Unread} {state.PolicyPosition} {state.Settings}");
        text.AppendLine(CultureInfo.InvariantCulture, $"{state.NextNodeId} {state.NextPreAuthKeyId} {state.NextUserId} {state.Addresses.Next()} {state.Addresses.Taken}");
        foreach (var node in state.Nodes.Values.OrderBy(node => node.Id))
        {
            text.AppendLine(node.ToString());
            text.AppendLine(string.Join(' ', node.Tags));
            Assert.Same(node, state.FindNode(node.MachineKey));
            Assert.Same(node, state.FindByNodeKey(node.NodeKey));
            Assert.Same(node, state.FindByName(node.Name));
            Assert.True(node.PreviousNodeKey is not { } previous || ReferenceEquals(node, state.FindByNodeKey(previous)));
            Assert.True(state.Addresses.IsTaken(node.IPv4));
        }

        foreach (var key in state.PreAuthKeys.Values.OrderBy(key => key.Id))
        {
            text.AppendLine(key.ToString());
            Assert.Same(key, state.FindPreAuthKey(key.Hash));
        }

        foreach (var user in state.Users.Values.OrderBy(user => user.Id))
        {
            text.AppendLine(user.ToString());
            Assert.Same(user, state.FindUser(user.Name));
            Assert.All(state.NodesOf(user.Id), node => Assert.Equal(user.Name, node.User));
        }

        Assert.Equal(state.Users.Count, state.UsersByName.Count);
        Assert.Equal(state.Nodes.Count, state.NodesByMachineKey.Count);
        Assert.Equal(state.Nodes.Values.Sum(node => node.PreviousNodeKey is null ? 1 : 2), state.NodesByNodeKey.Count);
        Assert.Equal(state.Nodes.Count, state.Names.Count);
        Assert.Equal(state.Nodes.Count, state.Addresses.Taken);
        return text.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        await Runtime.DisposeAsync();
        _signer.Dispose();
    }
}
