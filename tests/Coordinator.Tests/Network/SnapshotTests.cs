using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Tests.Log;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

/// <summary>Snapshots save reading the log, and change nothing else.</summary>
public sealed class SnapshotTests : IDisposable
{
    private static readonly RuntimeSizes Small = new(States: 4, Commands: 4, SnapshotInterval: 10);

    private readonly TestLog _file = new();
    private readonly ManualClock _clock = new();

    public void Dispose() => _file.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_state_comes_back_from_its_snapshot_as_the_fold_made_it(int seed)
    {
#pragma warning disable CA5394 // Replayable, not secret.
        var random = new Random(seed);
        await using var network = await CreateAsync(new AddressPlan(System.Net.IPNetwork.Parse("10.0.0.0/27"), [System.Net.IPNetwork.Parse("10.0.0.8/30")], AddressPlan.New().IPv6));
        for (var step = 0; step < 400; step++)
        {
            try
            {
                await StepAsync(network, random);
            }
            catch (CommandRefusedException)
            {
                // As good a step as any.
            }

            if (step % 20 != 0)
                continue;
            var state = network.State;
            var back = StateSnapshots.TryDecode(StateSnapshots.Encode(state), state.Point);
            Assert.NotNull(back);
            Assert.Equal(Describe(state), Describe(back));
            // And it goes on alike: the same names and the same addresses, to the last.
            foreach (var name in new[] { "web", "db", "web-1", "fresh" })
                Assert.Equal(state.Names.FreeNameFor(name), back.Names.FreeNameFor(name));
            var (one, two) = (state.Addresses, back.Addresses);
            while (one.Next() is { } next)
            {
                Assert.Equal(next, two.Next());
                (one, two) = (one.Take(next), two.Take(next));
            }

            Assert.Null(two.Next());
        }
#pragma warning restore CA5394
    }

    [Fact]
    public async Task Bytes_that_are_no_snapshot_are_none()
    {
        await using var network = await CreateAsync();
        await network.JoinAsync("web");
        var bytes = StateSnapshots.Encode(network.State);
        for (var length = 0; length < bytes.Length; length += 7)
            _ = StateSnapshots.TryDecode(bytes[..length], network.State.Point);
        Assert.Null(StateSnapshots.TryDecode([], default));
        Assert.Null(StateSnapshots.TryDecode([0xff, 1, 2], default));
    }

    [Fact]
    public async Task Opening_reads_the_log_from_the_snapshot_on_and_not_before()
    {
        var before = await FillAsync(60);
        // Whoever reads the second event finds it damaged.
        _file.Sql("UPDATE events SET payload = zeroblob(50) WHERE position = 2");
        await using (var network = await OpenAsync())
            Assert.Equal(before, Describe(network.State));
        _file.Sql("DELETE FROM snapshots");
        Assert.Equal(LogStoreFault.Damaged, (await Assert.ThrowsAsync<LogStoreException>(OpenAsync)).Fault);
    }

    [Fact]
    public async Task A_few_snapshots_are_kept_and_enough_of_the_log_behind_the_one_used_for_resumes_and_repetitions()
    {
        await FillAsync(60);
        Assert.InRange(Count("SELECT count(*) FROM snapshots"), 1, 3);
        LogPoint point;
        var key = IdempotencyKey.New();
        await using (var network = await OpenAsync())
        {
            await network.ExecuteAsync(new SetPolicy(NetworkPolicy.DenyAllText), Root, key);
            point = network.State.Point;
            for (var i = 0; i < 3; i++)
                await network.ExecuteAsync(new CreatePreAuthKey(), Root, IdempotencyKey.New());
        }

        await using var again = await OpenAsync();
        Assert.NotNull(again.StateAt(point));
        var position = again.State.Position;
        await again.ExecuteAsync(new SetPolicy(NetworkPolicy.AllowAllText), Root, key);
        Assert.Equal(position, again.State.Position); // Recognised: the first one's result, and nothing done.
    }

    [Theory]
    [InlineData("UPDATE snapshots SET state = zeroblob(100)")]
    [InlineData("UPDATE snapshots SET signature = zeroblob(64)")]
    [InlineData("UPDATE snapshots SET hash = zeroblob(32)")]
    [InlineData("UPDATE snapshots SET position = position - 1")]
    public async Task A_damaged_snapshot_is_passed_over_and_the_log_read_instead(string damage)
    {
        var before = await FillAsync(60);
        _file.Sql(damage);
        await using (var network = await OpenAsync())
            Assert.Equal(before, Describe(network.State));
        Assert.Contains(_file.Verify().Problems, problem => problem.Kind == LogProblemKind.BadSnapshot);
    }

    [Theory]
    [InlineData("hash")]
    [InlineData("state")]
    [InlineData("signature")]
    public async Task Any_flipped_byte_of_a_snapshot_is_found_by_the_check_of_the_log(string column)
    {
        await FillAsync(30);
        Assert.True(_file.Verify().IsValid);
        using var connection = new SqliteConnection($"Data Source={_file.Path};Pooling=False;Foreign Keys=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"PRAGMA synchronous = OFF; SELECT {column} FROM snapshots ORDER BY position LIMIT 1";
        var original = (byte[])command.ExecuteScalar()!;
        command.CommandText = $"UPDATE snapshots SET {column} = $value WHERE position = (SELECT min(position) FROM snapshots)";
        var parameter = command.Parameters.AddWithValue("$value", original);
        for (var i = 0; i < original.Length; i++)
        {
            var changed = original.ToArray();
            changed[i] ^= (byte)(1 << (i % 8));
            parameter.Value = changed;
            command.ExecuteNonQuery();
            Assert.Contains(_file.Verify().Problems, problem => problem.Kind == LogProblemKind.BadSnapshot);
        }

        parameter.Value = original;
        command.ExecuteNonQuery();
        Assert.True(_file.Verify().IsValid);
    }

    [Fact]
    public async Task A_snapshot_of_a_point_that_the_log_does_not_have_is_found()
    {
        await FillAsync(30);
        _file.Sql("DELETE FROM events WHERE position > (SELECT min(position) FROM snapshots) - 2");
        Assert.Contains(_file.Verify().Problems, problem => problem.Kind == LogProblemKind.BadSnapshot);
    }

#pragma warning disable CA5394
    private static async Task StepAsync(TestNetwork network, Random random)
    {
        var nodes = network.State.Nodes.Values.OrderBy(node => node.Id).ToList();
        var id = nodes.Count == 0 ? 1 : nodes[random.Next(nodes.Count)].Id;
        switch (random.Next(14))
        {
            case 0: await network.DoAsync(new DeleteNode(id)); break;
            case 1: await network.DoAsync(new LogoutNode(id)); break;
            case 2: await network.DoAsync(new RotateNodeKey(id, NewNodeKey())); break;
            case 3: await network.DoAsync(new RenameNode(id, $"web-{random.Next(5)}")); break;
            case 4: await network.DoAsync(new SetNodeExpiry(id, random.Next(2) == 0 ? null : network.Clock.GetUtcNow())); break;
            case 5: await network.DoAsync(new SetPolicy(random.Next(2) == 0 ? NetworkPolicy.AllowAllText : NetworkPolicy.DenyAllText)); break;
            case 6: await network.DoAsync(new RevokePreAuthKey((ulong)random.Next(1, 20))); break;
            case 7: await network.DoAsync(new DeleteNetwork(TimeSpan.FromDays(random.Next(1, 9)))); break;
            case 10: await network.DoAsync(new ChangeSettings(random.Next(2) == 0, TimeSpan.FromDays(random.Next(9)), TimeSpan.FromDays(random.Next(9)))); break;
            case 8: await network.DoAsync(new TagNode(id, ["tag:z"])); break;
            case 9 when network.State.FindUser("ann") is { } ann: await network.DoAsync(new DeleteUser(ann.Id, WithNodes: true)); break;
            default:
                await network.JoinAsync(random.Next(2) == 0 ? "web" : "db", new CreatePreAuthKey
                {
                    User = random.Next(2) == 0 ? "ann" : "", Tags = random.Next(2) == 0 ? ["tag:a", "tag:b"] : [], Ephemeral = random.Next(4) == 0,
                    Lifetime = random.Next(2) == 0 ? null : TimeSpan.FromHours(1),
                });
                break;
        }
    }
#pragma warning restore CA5394

    private Task<NetworkRuntime> OpenAsync() => NetworkRuntime.OpenAsync(_file.Open(_clock), _clock, NullLogger.Instance, Small);

    /// <summary>A log of a network with a number of nodes, and its state.</summary>
    private async Task<string> FillAsync(int commands)
    {
        await using (var log = _file.Open(_clock))
            await NetworkRuntime.CreateAsync(log, "test", AddressPlan.New(), Actor.System, IdempotencyKey.None, _clock);
        await using var network = await OpenAsync();
        var key = await network.ExecuteAsync(new CreatePreAuthKey { Reusable = true }, Root, IdempotencyKey.New());
        for (var i = 0; i < commands; i++)
            await network.ExecuteAsync(Registering("web", key.Text), Root, IdempotencyKey.New());
        return Describe(network.State);
    }

    private long Count(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_file.Path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }
}
