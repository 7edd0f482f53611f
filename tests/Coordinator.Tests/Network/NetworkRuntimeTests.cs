using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

public sealed class NetworkRuntimeTests
{
    [Fact]
    public async Task A_new_network_denies_everything_and_has_a_signed_head()
    {
        await using var network = await CreateAsync();
        Assert.Equal(NetworkPolicy.DenyAllText, network.State.Policy.Text);
        var (state, head) = network.Runtime.Current;
        Assert.Equal(1, state.Position);
        Assert.Equal(state.Point, head.Point);
    }

    [Fact]
    public async Task A_network_is_created_once()
    {
        await using var network = await CreateAsync();
        Assert.False(await NetworkRuntime.CreateAsync(
            network.Log(), "again", AddressPlan.New(), Actor.System, IdempotencyKey.None, network.Clock));
        Assert.Equal("test", network.State.Name);
    }

    [Fact]
    public async Task The_same_idempotency_key_gives_the_first_result_and_appends_nothing()
    {
        await using var network = await CreateAsync();
        var key = IdempotencyKey.New();
        var first = await network.Runtime.ExecuteAsync(new CreatePreAuthKey(), Root, key);
        var position = network.State.Position;
        var second = await network.Runtime.ExecuteAsync(new CreatePreAuthKey(), Root, key);
        Assert.Equal(first.Key.Id, second.Key.Id);
        Assert.Null(second.Text); // Shown once.
        Assert.Equal(position, network.State.Position);

        // Also by another coordinator, which knows it from the log alone.
        await using var other = await network.OpenAnotherAsync();
        Assert.Equal(first.Key.Id, (await other.ExecuteAsync(new CreatePreAuthKey(), Root, key)).Key.Id);
        Assert.Equal(position, other.State.Position);
    }

    [Fact]
    public async Task An_idempotency_key_of_another_command_is_refused()
    {
        await using var network = await CreateAsync();
        var key = IdempotencyKey.New();
        await network.Runtime.ExecuteAsync(new SetPolicy(NetworkPolicy.AllowAllText), Root, key);
        var e = await Assert.ThrowsAsync<CommandRefusedException>(
            async () => await network.Runtime.ExecuteAsync(new CreatePreAuthKey(), Root, key));
        Assert.Equal(RefusalReason.Invalid, e.Reason);
    }

    [Fact]
    public async Task Commands_that_arrive_while_the_disk_is_busy_share_the_next_append_and_are_decided_in_turn()
    {
        var store = new FaultyEventStore();
        await using var network = await CreateAsync(store: store);
        var text = await network.NewKeyAsync();
        store.Hold();
        var first = network.DoAsync(new CreatePreAuthKey()).AsTask();
        await store.ArrivedAsync();
        var before = store.Appends;

        var registrations = Enumerable.Range(0, 20).Select(i => network.DoAsync(Registering($"n{i}", text)).AsTask()).ToList();
        var sameIntent = IdempotencyKey.New();
        var twice = Enumerable.Range(0, 2)
            .Select(_ => network.Runtime.ExecuteAsync(new CreatePreAuthKey(), Root, sameIntent).AsTask()).ToList();
        Assert.All(registrations, task => Assert.False(task.IsCompleted));
        store.Release();
        await first;

        // One key, twenty machines: the first takes it, and each of the others sees that in the very same batch.
        var outcomes = await Task.WhenAll(registrations.Select(async task =>
        {
            try
            {
                return (await task).IsNew;
            }
            catch (CommandRefusedException e) when (e.Reason == RefusalReason.PreAuthKeyUsed)
            {
                return false;
            }
        }));
        Assert.Single(outcomes, isNew => isNew);
        Assert.Single(network.State.Nodes);
        var results = await Task.WhenAll(twice);
        Assert.Equal(results[0].Key.Id, results[1].Key.Id);
        Assert.InRange(store.Appends - before, 2, 3);
        Assert.Equal(3, network.State.PreAuthKeys.Count);
    }

    [Fact]
    public async Task Nobody_sees_a_change_before_it_is_durable()
    {
        var store = new FaultyEventStore();
        await using var network = await CreateAsync(store: store);
        store.Hold();
        var pending = network.DoAsync(new SetPolicy(NetworkPolicy.AllowAllText)).AsTask();
        await store.ArrivedAsync();
        Assert.False(pending.IsCompleted);
        Assert.Equal(NetworkPolicy.DenyAllText, network.State.Policy.Text);
        store.Release();
        await pending;
        Assert.Equal(NetworkPolicy.AllowAllText, network.State.Policy.Text);
    }

    [Fact]
    public async Task A_full_disk_fails_the_command_and_the_network_goes_on_where_it_was()
    {
        var store = new FaultyEventStore();
        await using var network = await CreateAsync(store: store);
        var before = network.State;
        store.Fault = new LogStoreException(LogStoreFault.DiskFull, "full");
        var e = await Assert.ThrowsAsync<LogStoreException>(async () => await network.NewKeyAsync());
        Assert.Equal(LogStoreFault.DiskFull, e.Fault);
        Assert.Same(before, network.State);
        await network.NewKeyAsync();
        Assert.Equal(before.Position + 1, network.State.Position);
    }

    [Fact]
    public async Task A_disk_that_fails_stops_the_network_for_good()
    {
        var store = new FaultyEventStore();
        await using var network = await CreateAsync(store: store);
        store.Fault = new LogStoreException(LogStoreFault.Io, "fsync");
        await Assert.ThrowsAsync<LogStoreException>(async () => await network.NewKeyAsync());
        await Assert.ThrowsAsync<LogStoreException>(() => network.Runtime.Completion);
        var e = await Assert.ThrowsAsync<LogStoreException>(async () => await network.NewKeyAsync());
        Assert.Equal(LogStoreFault.Io, e.Fault);
        Assert.Equal(1, network.State.Position);
    }

    [Fact]
    public async Task Changes_are_told_in_order_with_their_events()
    {
        await using var network = await CreateAsync();
        var changes = new List<StateChange>();
        network.Runtime.StateChanged += changes.Add;
        network.Runtime.StateChanged += _ => throw new InvalidOperationException("a listener's bug");
        for (var i = 0; i < 5; i++)
            await network.JoinAsync("n");
        var at = 1L;
        foreach (var change in changes)
        {
            Assert.Equal(at, change.Before.Position);
            Assert.Equal(at + change.Events.Count, change.After.Position);
            at = change.After.Position;
        }

        Assert.Equal(network.State.Position, at);
    }

    [Fact]
    public async Task A_recent_state_is_found_by_position_and_hash_and_not_by_another_hash()
    {
        await using var network = await CreateAsync();
        var points = new List<NetworkState>();
        for (var i = 0; i < 1500; i++)
        {
            await network.DoAsync(new SetPolicy(i % 2 == 0 ? NetworkPolicy.AllowAllText : NetworkPolicy.DenyAllText));
            points.Add(network.State);
        }

        Assert.All(points.TakeLast(RuntimeSizes.Default.States), state => Assert.Same(state, network.Runtime.StateAt(state.Point)));
        Assert.All(points.Take(points.Count - RuntimeSizes.Default.States), state => Assert.Null(network.Runtime.StateAt(state.Point)));
        Assert.Null(network.Runtime.StateAt(points[^5].Point with { Hash = points[^6].Point.Hash }));
        Assert.Null(network.Runtime.StateAt(points[^1].Point with { Position = points[^1].Position + 1 }));

        // A coordinator that just started has them too, from the log.
        await using var other = await network.OpenAnotherAsync();
        Assert.Equal(Describe(points[^700]), Describe(other.StateAt(points[^700].Point)!));
    }

    [Fact]
    public async Task A_command_that_is_cancelled_before_its_turn_is_dropped()
    {
        var store = new FaultyEventStore();
        await using var network = await CreateAsync(store: store);
        store.Hold();
        var first = network.NewKeyAsync();
        await store.ArrivedAsync();
        using var source = new CancellationTokenSource();
        var second = network.Runtime.ExecuteAsync(new CreatePreAuthKey(), Root, IdempotencyKey.New(), source.Token).AsTask();
        await source.CancelAsync();
        store.Release();
        await first;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await network.NewKeyAsync();
        Assert.Equal(2, network.State.PreAuthKeys.Count);
    }

    [Fact]
    public async Task A_command_whose_events_do_not_fold_fails_alone_and_leaves_no_trace()
    {
        await using var network = await CreateAsync();
        await Assert.ThrowsAnyAsync<Exception>(async () => await network.DoAsync(new BadCommand()));
        var key = await network.DoAsync(new CreatePreAuthKey());
        Assert.Equal(1UL, key.Key.Id);
        Assert.Equal(2, network.State.Position);
        await using var other = await network.OpenAnotherAsync();
        Assert.Equal(Describe(network.State), Describe(other.State));
    }

    /// <summary>A first event that folds, and a second that does not.</summary>
    private sealed class BadCommand : ICommand<Done>
    {
        public Decision<Done> Decide(NetworkState state, DecisionContext context) => new(
            [
                new Coordinator.Network.Events.PreAuthKeyCreated { Id = 1, Hash = ByteString.CopyFrom(new byte[32]) },
                new Coordinator.Network.Events.NodeRegistered { Id = 1, MachineSpki = ByteString.CopyFrom(1) },
            ],
            _ => default);

        public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
    }
}
