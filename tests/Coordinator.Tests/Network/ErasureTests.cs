using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Tests.Log;
using Microsoft.Extensions.Logging.Abstractions;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

public sealed class ErasureTests : IAsyncLifetime
{
    private static readonly RuntimeSizes Small = new(States: 4, Commands: 4, SnapshotInterval: 5);

    private readonly TestLog _file = new();
    private readonly ManualClock _clock = new();
    private NetworkRuntime _network = null!;

    public async ValueTask InitializeAsync()
    {
        await using (var log = _file.Open(_clock))
            await NetworkRuntime.CreateAsync(log, "test", AddressPlan.New(), Actor.System, IdempotencyKey.None, _clock);
        _network = await OpenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _network.DisposeAsync();
        _file.Dispose();
    }

    [Fact]
    public async Task A_persons_data_is_gone_from_the_file_and_the_log_still_verifies()
    {
        var ann = await JoinAsync("anns-laptop", "ann");
        await DoAsync(new RenameNode(ann.Id, "anns-other-name"));
        await DoAsync(new RecordHostFacts(ann.Id, ann.Host with { Os = "plan9" }));
        var bob = await JoinAsync("bobs-laptop", "bob");
        for (var i = 0; i < 10; i++)
            await DoAsync(new RenameNode(bob.Id, $"bob-{i}")); // Snapshots go past the data.
        await DoAsync(new DeleteUser(ann.OwnerId, WithNodes: true));
        var payloads = SealedPayloads(2, 3, 4, 5, 6);
        Assert.All(payloads, payload => Assert.True(IsInAFile(payload)));

        Assert.Equal([2, 3, 4, 5, 6], await _network.EraseUserAsync("ann", Root, IdempotencyKey.New(), TestContext.Current.CancellationToken));
        Assert.All(payloads, payload => Assert.False(IsInAFile(payload)));
        var verified = _file.Verify();
        Assert.Empty(verified.Problems);
        Assert.Equal([2L, 3L, 4L, 5L, 6L], verified.Erased);

        var lines = new List<LogLine>();
        await foreach (var line in LogLine.ReadAsync(_network, cancellationToken: TestContext.Current.CancellationToken))
            lines.Add(line);
        Assert.DoesNotContain(lines, line => line.Text.Contains("ann", StringComparison.Ordinal) || line.NodeName.Contains("ann", StringComparison.Ordinal));
        Assert.Equal(5, lines.Count(line => line.Erased));
    }

    [Fact]
    public async Task Policies_of_the_past_that_name_the_person_go_and_the_one_in_force_must_not_name_him()
    {
        const string Naming = """{"groups": {"group:dev": ["ann@example.com", "bob@"]}, "acls": [{"action": "accept", "src": ["group:dev"], "dst": ["*:*"]}]}""";
        await DoAsync(new CreateUser("ann", "Ann", "ann@example.com"));
        await DoAsync(new CreateUser("bob"));
        await DoAsync(new SetPolicy(Naming));
        await DoAsync(new DeleteUser(_network.State.FindUser("ann")!.Id, WithNodes: true));
        var refused = await Assert.ThrowsAsync<CommandRefusedException>(
            () => _network.EraseUserAsync("ann", Root, IdempotencyKey.New(), TestContext.Current.CancellationToken));
        Assert.Contains("The policy names ann", refused.Message, StringComparison.Ordinal);

        var payloads = SealedPayloads(4);
        var then = _network.State.Point;
        await DoAsync(new SetPolicy(NetworkPolicy.AllowAllText));
        Assert.Equal([2, 4], await _network.EraseUserAsync("ann", Root, IdempotencyKey.New(), TestContext.Current.CancellationToken));
        Assert.All(payloads, payload => Assert.False(IsInAFile(payload)));
        var point = _network.StateAt(_network.State.Point)!.Point;
        var before = Describe(_network.State);
        await ReopenAsync();
        Assert.Equal(before, Describe(_network.State));
        Assert.NotNull(_network.StateAt(point));
        Assert.Null(_network.StateAt(then)); // Nobody resumes from a state that is not what he was told.
    }

    [Fact]
    public async Task A_reader_who_keeps_the_erased_in_the_write_ahead_log_keeps_it_there_only_while_he_reads()
    {
        await using var log = _file.Over(SqliteEventStore.Open(_file.Path, _clock, lockWait: TimeSpan.FromMilliseconds(1)));
        var ann = await JoinAsync("anns-laptop", "ann");
        await DoAsync(new DeleteNode(ann.Id));
        var payload = SealedPayloads(3)[0];
        using (var reading = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_file.Path};Pooling=False"))
        {
            reading.Open();
            using var transaction = reading.BeginTransaction(deferred: true);
            using var read = reading.CreateCommand();
            read.CommandText = "SELECT count(*) FROM events";
            read.ExecuteScalar();
            await log.EraseAsync([3]);
            Assert.True(IsInAFile(payload));
        }

        var batch = log.Begin(_network.State.Point);
        batch.Add(TestLog.Draft(1) with { Kind = EventKind.PreAuthKeyRevoked, Payload = [] });
        Assert.NotNull(await log.AppendAsync(batch));
        Assert.False(IsInAFile(payload));
    }

    [Fact]
    public async Task A_start_after_an_erasure_leads_to_the_very_state_and_uses_no_id_again()
    {
        var ann = await JoinAsync("web", "ann");
        var other = await JoinAsync("web", "bob");
        await DoAsync(new DeleteNode(ann.Id));
        var third = await JoinAsync("web", "ann");
        await DoAsync(new DeleteUser(third.OwnerId, WithNodes: true));
        await _network.EraseUserAsync("ann", Root, IdempotencyKey.New(), TestContext.Current.CancellationToken);
        var before = Describe(_network.State);
        await ReopenAsync();
        Assert.Equal(before, Describe(_network.State));
        var next = await JoinAsync("web", "carl");
        Assert.DoesNotContain(next.OwnerId, new[] { ann.OwnerId, other.OwnerId });
        Assert.DoesNotContain(next.Id, new[] { ann.Id, other.Id, third.Id });
        Assert.DoesNotContain(next.IPv4, new[] { ann.IPv4, other.IPv4, third.IPv4 }); // Given out once, while fresh ones are left.
    }

    [Fact]
    public async Task What_is_in_use_is_not_erased()
    {
        var ann = await JoinAsync("web", "ann");
        Assert.Equal(RefusalReason.StillInUse, await RefusalAsync("ann"));
        await DoAsync(new DeleteNode(ann.Id));
        await DoAsync(new CreatePreAuthKey { User = "ann" });
        Assert.Equal(RefusalReason.StillInUse, await RefusalAsync("ann"));
        await DoAsync(new DeleteUser(ann.OwnerId, WithNodes: false));
        // Another of the same name is another person, whose data stays.
        var namesake = await JoinAsync("web", "ann");
        Assert.NotEmpty(await _network.EraseUserAsync("ann", Root, IdempotencyKey.New(), TestContext.Current.CancellationToken));
        Assert.Equal(namesake.Id, _network.State.FindNode(namesake.Id)!.Id);
        Assert.Equal("ann miller", _network.State.FindUser("ann")!.DisplayName);
        Assert.Equal(RefusalReason.StillInUse, await RefusalAsync("ann"));
        Assert.Empty(await _network.EraseUserAsync("nobody", Root, IdempotencyKey.New(), TestContext.Current.CancellationToken));
        Assert.Equal(RefusalReason.Invalid, await RefusalAsync(""));
    }

    [Fact]
    public async Task An_erasure_that_a_crash_cut_short_is_done_by_the_next_start()
    {
        var ann = await JoinAsync("web", "ann");
        await DoAsync(new DeleteUser(ann.OwnerId, WithNodes: true));
        var data = await PersonalData.OfUserAsync(_network, "ann", TestContext.Current.CancellationToken);
        await DoAsync(data.ToCommand()); // The word is in the log; the deed is not done.
        Assert.Empty(_file.Verify().Erased);
        await ReopenAsync();
        Assert.Equal([2L, 3L, 4L], _file.Verify().Erased);
        Assert.True(_file.Verify().IsValid);
    }

    [Fact]
    public async Task A_deleted_nodes_data_is_erased_alone()
    {
        var one = await JoinAsync("one", "ann");
        await JoinAsync("two", "ann");
        await DoAsync(new DeleteNode(one.Id));
        Assert.Equal([4], await _network.EraseNodeAsync(one.Id, Root, IdempotencyKey.New(), TestContext.Current.CancellationToken));
        await ReopenAsync();
        Assert.Equal("two", Assert.Single(_network.State.Nodes.Values).Name);
    }

    private Task<NetworkRuntime> OpenAsync() => NetworkRuntime.OpenAsync(_file.Open(_clock), _clock, NullLogger.Instance, Small);

    private async Task ReopenAsync()
    {
        await _network.DisposeAsync();
        _network = await OpenAsync();
    }

    private ValueTask<T> DoAsync<T>(ICommand<T> command) => _network.ExecuteAsync(command, Root, IdempotencyKey.New());

    private async Task<Node> JoinAsync(string hostname, string user)
    {
        if (_network.State.FindUser(user) is null)
            await DoAsync(new CreateUser(user, $"{user} miller", $"{user}@example.com"));
        var key = await DoAsync(new CreatePreAuthKey { User = user });
        return (await DoAsync(Registering(hostname, key.Text))).Node;
    }

    private async Task<RefusalReason> RefusalAsync(string user) => (await Assert.ThrowsAsync<CommandRefusedException>(
        () => _network.EraseUserAsync(user, Root, IdempotencyKey.New(), TestContext.Current.CancellationToken))).Reason;

    private List<byte[]> SealedPayloads(params long[] positions)
    {
        using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_file.Path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT payload FROM events WHERE position IN ({string.Join(',', positions)})";
        using var reader = command.ExecuteReader();
        var payloads = new List<byte[]>();
        while (reader.Read())
            payloads.Add((byte[])reader.GetValue(0));
        return payloads;
    }

    private bool IsInAFile(byte[] bytes) =>
        Directory.GetFiles(_file.Directory).Any(file =>
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var all = new MemoryStream();
            stream.CopyTo(all);
            return all.ToArray().AsSpan().IndexOf(bytes) >= 0;
        });
}
