using System.Diagnostics;
using System.Globalization;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Tests.Cli;

namespace Mesh.Coordinator.Tests.Soak;

/// <summary>
/// Many machines over real TLS that join, leave, change keys, endpoints and names at random, while the coordinator is killed
/// under them. After each kill, and at the end, the log holds what was acknowledged and every machine's map is the model's.
/// A long run (MESH_LONG) takes the long form; MESH_TEST_SEED takes another seed.
/// </summary>
public sealed class SoakTests
{
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("MESH_LONG") is { Length: > 0 };

    private static readonly int Seed =
        int.TryParse(Environment.GetEnvironmentVariable("MESH_TEST_SEED"), CultureInfo.InvariantCulture, out int seed) ? seed : 20261122;

    [Fact]
    public Task After_every_kill_each_map_is_the_models() => IsLong ? RunAsync(500, 20, 1500) : RunAsync(50, 3, 150);

    [Fact]
    public Task Many_kills_lose_nothing_acknowledged() => IsLong ? RunAsync(20, 300, 40) : RunAsync(8, 4, 24);

#pragma warning disable CA5394 // Replayable, not secret.
    private static async Task RunAsync(int nodes, int kills, int actionsBetween)
    {
        await using var coordinator = new CoordinatorProcess();
        await coordinator.StartAsync();
        var soak = new Soak(coordinator, nodes, new Random(Seed));
        try
        {
            await soak.BeginAsync();
            var clock = Stopwatch.StartNew();
            for (int kill = 1; kill <= kills; kill++)
            {
                await soak.ActAsync(actionsBetween, killDuring: true);
                await soak.CheckAsync($"seed {Seed}, after kill {kill} of {kills}");
            }
            await soak.ActAsync(actionsBetween, killDuring: false);
            await soak.CheckAsync($"seed {Seed}, at the end");
            var verified = await Said.ByAsync("log", "verify", "--state-dir", coordinator.StateDirectory);
            Assert.True(verified.ExitCode == 0, verified.Error);
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{nodes} nodes, {kills} kills, {soak.Actions} actions and {soak.MapsCompared} maps compared in {clock.Elapsed.TotalSeconds:F0} s; {verified.Output.Trim()}");
        }
        finally
        {
            await soak.EndAsync();
        }
    }

    /// <summary>The machines, and who does what to them.</summary>
    private sealed class Soak(CoordinatorProcess coordinator, int count, Random random)
    {
        private const int Workers = 8;

        private readonly SoakNode[] _nodes = [.. Enumerable.Range(0, count).Select(number => new SoakNode(coordinator, number))];
        private string _key = "";
        private bool _isOpen = true;
        private int _nextName;

        public int Actions { get; private set; }

        public int MapsCompared { get; private set; }

        public async Task BeginAsync()
        {
            using var admin = coordinator.Admin();
            await SetPolicyAsync(admin);
            _key = (await admin.SendAsync(HttpMethod.Post, Paths.Keys("default"), new CreateKeyModel { Reusable = true },
                AdminJson.Default.CreateKeyModel, AdminJson.Default.CreatedKeyModel, default)).Secret;
            await Task.WhenAll(Share().Select(async nodes =>
            {
                foreach (var node in nodes) await node.JoinAsync(_key);
            }));
        }

        /// <summary>Each worker has machines of its own, so that what was acknowledged last is what counts.</summary>
        public async Task ActAsync(int actions, bool killDuring)
        {
            int before = random.Next(1, actions), done = 0;
            var due = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var working = Task.WhenAll(Share().Select(async nodes =>
            {
                var own = new Random(NextSeed());
                for (int i = 0; i < actions / Workers; i++)
                {
                    await ActAsync(nodes[own.Next(nodes.Length)], own);
                    if (Interlocked.Increment(ref done) >= before) due.TrySetResult();
                }
            }));
            Actions += actions / Workers * Workers;
            await Task.WhenAny(due.Task, working);
            if (killDuring) await coordinator.KillAndRestartAsync();
            await working;
            if (random.Next(3) != 0) return;
            _isOpen = !_isOpen;
            using var admin = coordinator.Admin();
            await SetPolicyAsync(admin);
        }

        public async Task CheckAsync(string when)
        {
            using var admin = coordinator.Admin();
            var listed = (await admin.ListAsync(Paths.Nodes("default"), AdminJson.Default.ListModelNodeModel, default)).Items.ToDictionary(n => n.Id);
            foreach (var node in Members())
            {
                Assert.True(listed.TryGetValue(node.Id!.Value, out var known), $"{when}: node {node.Id} ({node.Name}) is lost");
                Assert.Equal((when, node.Name, "member"), (when, known.Name, known.State));
            }
            Assert.Equal(Members().Count(), listed.Values.Count(n => n.State == "member"));
            await Task.WhenAll(Members().Select(node => node.UntilAsync(map => Difference(node, map), when)));
            MapsCompared += Members().Count();
        }

        public async Task EndAsync()
        {
            foreach (var node in _nodes) await node.DisposeAsync();
        }

        private IEnumerable<SoakNode> Members() => _nodes.Where(node => node.Id is not null);

        private IEnumerable<SoakNode[]> Share() =>
            Enumerable.Range(0, Workers).Select(worker => _nodes.Where((_, i) => i % Workers == worker).ToArray()).Where(share => share.Length > 0);

        private int NextSeed()
        {
            lock (random) return random.Next();
        }

        private async Task ActAsync(SoakNode node, Random own)
        {
            if (node.Id is not { } id)
            {
                await node.JoinAsync(_key);
                return;
            }
            switch (own.Next(8))
            {
                case 0: await node.LogoutAsync(); break;
                case 1: await DeleteAsync(node, id); break;
                case 2: await RenameAsync(node, id); break;
                case 3 or 4: await node.ChangeKeyAsync(_key); break;
                default: await node.ReportAsync(own.Next(1, 60_000)); break;
            }
        }

        private async Task DeleteAsync(SoakNode node, ulong id)
        {
            while (true)
            {
                try
                {
                    using var admin = coordinator.Admin();
                    await admin.DeleteAsync(Paths.Node("default", $"{id}"), AdminJson.Default.NodeModel, default);
                    break;
                }
                catch (CliFailure e) when (e.ExitCode == ExitCode.Refused)
                {
                    break; // Done by the try before, whose answer was lost.
                }
                catch (CliFailure)
                {
                    await coordinator.UpAsync();
                }
            }
            await node.DeletedAsync();
        }

        private async Task RenameAsync(SoakNode node, ulong id)
        {
            string name = $"renamed-{Interlocked.Increment(ref _nextName)}";
            while (true)
            {
                try
                {
                    using var admin = coordinator.Admin();
                    await admin.SendAsync(HttpMethod.Post, Paths.Node("default", $"{id}") + "/rename", new RenameNodeModel(name),
                        AdminJson.Default.RenameNodeModel, AdminJson.Default.NodeModel, default);
                    node.Name = name;
                    return;
                }
                catch (CliFailure e) when (e.ExitCode == ExitCode.Unreachable)
                {
                    await coordinator.UpAsync();
                }
            }
        }

        private async Task SetPolicyAsync(AdminClient admin) => await admin.SendAsync(
            HttpMethod.Put, Paths.Policy("default"), new SetPolicyModel(_isOpen ? NetworkPolicy.AllowAllText : NetworkPolicy.DenyAllText), AdminJson.Default.SetPolicyModel,
            AdminJson.Default.PolicyModel, default);

        /// <summary>What a map has otherwise than the model; null for nothing.</summary>
        private string? Difference(SoakNode viewer, TestMap map)
        {
            if (map.Self?.Name != viewer.Name) return $"is called {map.Self?.Name}";
            if (_isOpen != (map.Filter.Ingress.Count > 0)) return "has the filter of another policy";
            var wanted = _isOpen ? Members().Where(node => node != viewer).ToDictionary(node => node.Id!.Value) : [];
            if (map.Peers.Keys.FirstOrDefault(id => !wanted.ContainsKey(id)) is > 0 and var extra) return $"sees {extra}, which it must not";
            foreach (var (id, peer) in wanted)
            {
                if (!map.Peers.TryGetValue(id, out var seen)) return $"does not see {id}";
                if (seen.Name != peer.Name) return $"sees {id} as {seen.Name} and not {peer.Name}";
                if (!seen.NodeKey.Span.SequenceEqual(peer.NodeKey)) return $"has an old key of {id}";
                if (!seen.Presence.Online) return $"takes {id} for offline";
                if (seen.Presence.Endpoints.Count != 1 || seen.Presence.Endpoints[0].Port != peer.EndpointPort) return $"has old endpoints of {id}";
            }
            return null;
        }
    }
#pragma warning restore CA5394
}
