using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

/// <summary>Random lives of a network: the same log always folds to the same state, however it came about.</summary>
public sealed class FoldPropertyTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_state_is_the_fold_of_its_log_and_every_command_can_be_repeated(int seed)
    {
        await using var network = await CreateAsync();
        var life = new RandomLife(seed);
        var issued = new List<(Func<NetworkRuntime, Task<string>> Run, string Outcome)>();
        for (var step = 0; step < 300; step++)
        {
            var run = life.Next(network.State);
            issued.Add((run, await run(network.Runtime)));
        }

        await using var other = await network.OpenAnotherAsync();
        var description = Describe(network.State);
        Assert.Equal(description, Describe(other.State));

        // The whole life again under the same idempotency keys: nothing that was done is done again.
        foreach (var (run, _) in issued.Where(command => command.Outcome == "done"))
            await run(other);
        Assert.Equal(network.State.Point, other.State.Point);
        Assert.Equal(description, Describe(other.State));
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public async Task Two_coordinators_on_one_log_agree_and_do_everything_once(int seed)
    {
        await using var network = await CreateAsync();
        await network.DoAsync(new CreateUser("intent"));
        await using var other = await network.OpenAnotherAsync();
        await Task.WhenAll(
            Task.Run(() => LiveAsync(network.Runtime, seed)),
            Task.Run(() => LiveAsync(network.Runtime, seed + 1000)),
            Task.Run(() => LiveAsync(other, seed + 2000)),
            Task.Run(() => LiveAsync(other, seed + 3000)),
            // The same intents at both, at the same time.
            Task.Run(() => IntentsAsync(network.Runtime)),
            Task.Run(() => IntentsAsync(other)));

        Assert.Equal(100, network.State.PreAuthKeys.Values.Concat(other.State.PreAuthKeys.Values)
            .Where(key => key.User == "intent").Select(key => key.Id).Distinct().Count());
        // One more command each, so that both have read to the end.
        await network.DoAsync(new CreatePreAuthKey());
        await other.ExecuteAsync(new CreatePreAuthKey(), Root, IdempotencyKey.New());
        await network.DoAsync(new CreatePreAuthKey());
        await using var fresh = await network.OpenAnotherAsync();
        Assert.Equal(Describe(network.State), Describe(fresh.State));
        Assert.Equal(Describe(other.State), Describe(fresh.StateAt(other.State.Point)!));

        static async Task LiveAsync(NetworkRuntime runtime, int seed)
        {
            var life = new RandomLife(seed);
            for (var step = 0; step < 100; step++)
                await life.Next(runtime.State)(runtime);
        }

        async Task IntentsAsync(NetworkRuntime runtime)
        {
            for (var i = 0; i < 100; i++)
                await runtime.ExecuteAsync(new CreatePreAuthKey { User = "intent" }, Root, IdempotencyKey.From($"{seed}", $"{i}"));
        }
    }

    /// <summary>A seeded stream of commands, most of them possible, some not.</summary>
    private sealed class RandomLife(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly List<string> _keys = [];
        private readonly List<RegisterNode> _registrations = [];

        public Func<NetworkRuntime, Task<string>> Next(NetworkState state)
        {
            var nodes = state.Nodes.Keys.Order().ToList();
            var id = nodes.Count == 0 ? 0 : nodes[_random.Next(nodes.Count)];
            switch (_random.Next(100))
            {
                case < 4:
                    return Run(new CreateUser($"user{_random.Next(6)}", "Some One"));
                case < 6 when Deletable(state).Any():
                    return Run(new RenameUser(SomeUser(state).Id, $"user{_random.Next(6)}"));
                case < 7 when Deletable(state).Any():
                    return Run(new DeleteUser(SomeUser(state).Id, WithNodes: _random.Next(2) == 0));
                case < 8:
                    return Run(new ChangeSettings(_random.Next(3) == 0, null, TimeSpan.FromDays(_random.Next(1, 9))));
                case < 9 when _registrations.Count > 0:
                    return Run(new ApproveMachine { MachineKey = _registrations[_random.Next(_registrations.Count)].MachineKey, NodeKey = RandomNodeKey() });
                case < 10:
                    return Run(new TagNode(id, [$"tag:t{_random.Next(3)}"]));
                case < 24:
                    var create = new CreatePreAuthKey
                    {
                        User = Deletable(state).Any() && _random.Next(2) == 0 ? SomeUser(state).Name : "", Tags = _random.Next(4) == 0 ? ["tag:a"] : [],
                        Reusable = _random.Next(2) == 0, Ephemeral = _random.Next(3) == 0 };
                    var idempotency = NewKey();
                    return async runtime =>
                    {
                        try
                        {
                            var created = await runtime.ExecuteAsync(create, Root, idempotency);
                            if (created.Text is not null)
                                _keys.Add(created.Text);
                            return "done";
                        }
                        catch (CommandRefusedException e)
                        {
                            return e.Reason.ToString(); // The user is gone by now.
                        }
                    };
                case < 55:
                    var machine = _registrations.Count > 0 && _random.Next(3) == 0
                        ? _registrations[_random.Next(_registrations.Count)].MachineKey
                        : RandomMachine();
                    var registration = Registering(
                        $"host{_random.Next(4)}", _keys.Count == 0 ? null : _keys[_random.Next(_keys.Count)], machine, RandomNodeKey());
                    _registrations.Add(registration);
                    return Run(registration);
                case < 65 when _registrations.Count > 0:
                    return Run(_registrations[_random.Next(_registrations.Count)]);
                case < 70:
                    return Run(new RevokePreAuthKey((ulong)_random.Next(1, 20)));
                case < 77:
                    return Run(new LogoutNode(id));
                case < 82:
                    return Run(new DeleteNode(id));
                case < 90:
                    return Run(new RotateNodeKey(id, RandomNodeKey()));
                case < 95:
                    return Run(new RetirePreviousNodeKey(id, state.FindNode(id)?.PreviousNodeKey ?? default));
                case < 97:
                    return Run(new RecordHostFacts(id, HostFacts.Unknown with { Os = $"os{_random.Next(3)}" }));
                default:
                    return Run(new SetPolicy(_random.Next(2) == 0 ? NetworkPolicy.DenyAllText : NetworkPolicy.AllowAllText));
            }
        }

        private User SomeUser(NetworkState state) => Deletable(state).ElementAt(_random.Next(Deletable(state).Count()));

        // Whom the intents of the other test need stays.
        private static IEnumerable<User> Deletable(NetworkState state) => state.Users.Values.Where(user => user.Name != "intent").OrderBy(user => user.Id);

        private Func<NetworkRuntime, Task<string>> Run<TResult>(ICommand<TResult> command)
        {
            var key = NewKey();
            return async runtime =>
            {
                try
                {
                    var before = runtime.State.Position;
                    await runtime.ExecuteAsync(command, Root, key);
                    // A command that found nothing to do left no event, and may find something the next time.
                    return runtime.State.Position == before ? "nothing" : "done";
                }
                catch (CommandRefusedException e)
                {
                    return e.Reason.ToString();
                }
            };
        }

        private IdempotencyKey NewKey() => new(RandomBytes(IdempotencyKey.Length));

        private MachineKey RandomMachine() => new(RandomBytes(MachineKey.MaxSpkiLength));

        private Crypto.X25519PublicKey RandomNodeKey() => new(RandomBytes(Crypto.X25519PublicKey.Length));

        private byte[] RandomBytes(int length)
        {
            var bytes = new byte[length];
            _random.NextBytes(bytes);
            return bytes;
        }
    }
}
