using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

public sealed class NodeAdminTests : IAsyncLifetime
{
    private TestNetwork _network = null!;

    public async ValueTask InitializeAsync() => _network = await CreateAsync();

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    [Fact]
    public async Task A_renamed_node_keeps_its_id_and_its_old_name_is_free()
    {
        var web = await _network.JoinAsync("web");
        var renamed = await _network.DoAsync(new RenameNode(web.Id, "db"));
        Assert.Equal((web.Id, "db"), (renamed.Id, renamed.Name));
        Assert.Equal("web", (await _network.JoinAsync("web")).Name);
        Assert.Equal(RefusalReason.NameTaken, await _network.RefusalAsync(new RenameNode(web.Id, "web")));
        Assert.Equal(RefusalReason.NodeUnknown, await _network.RefusalAsync(new RenameNode(1, "x")));
        var position = _network.State.Position;
        await _network.DoAsync(new RenameNode(web.Id, "db"));
        Assert.Equal(position, _network.State.Position);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Web")]
    [InlineData("-web")]
    [InlineData("a.b")]
    [InlineData("a b")]
    [InlineData("wéb")]
    public async Task A_name_that_is_no_DNS_label_is_refused(string name)
    {
        var web = await _network.JoinAsync("web");
        Assert.Equal(RefusalReason.Invalid, await _network.RefusalAsync(new RenameNode(web.Id, name)));
    }

    [Fact]
    public async Task An_expired_node_keeps_its_place_and_a_new_key_or_a_later_end_lets_it_back_in()
    {
        var machine = NewMachineKey();
        var web = await _network.JoinAsync("web", machine: machine);
        var expired = await _network.DoAsync(new SetNodeExpiry(web.Id, _network.Clock.GetUtcNow()));
        Assert.True(expired.Expired);
        Assert.False(expired.IsMember(_network.Clock.GetUtcNow()));
        Assert.Equal(RefusalReason.NodeNotMember, await _network.RefusalAsync(new RotateNodeKey(web.Id, NewNodeKey())));

        Assert.False((await _network.DoAsync(new SetNodeExpiry(web.Id, _network.Clock.GetUtcNow().AddDays(1)))).Expired);
        await _network.DoAsync(new SetNodeExpiry(web.Id, _network.Clock.GetUtcNow()));
        var back = await _network.JoinAsync("other", machine: machine);
        Assert.Equal((web.Id, "web", web.IPv4), (back.Id, back.Name, back.IPv4));
        Assert.True(back.IsMember(_network.Clock.GetUtcNow()));
    }

    [Fact]
    public async Task The_end_of_an_authorisation_becomes_an_event_when_it_comes_and_not_before()
    {
        var web = await _network.JoinAsync("web");
        await _network.DoAsync(new SetNodeExpiry(web.Id, _network.Clock.GetUtcNow().AddHours(1)));
        using var lifecycle = NewLifecycle();
        var position = _network.State.Position;
        _network.Clock.Advance(TimeSpan.FromMinutes(59));
        await lifecycle.SweepAsync();
        Assert.Equal(position, _network.State.Position);
        _network.Clock.Advance(TimeSpan.FromMinutes(1));
        await lifecycle.SweepAsync();
        await Until(() => _network.State.FindNode(web.Id)!.Expired);
        await lifecycle.SweepAsync();
        Assert.Equal(position + 1, _network.State.Position);
    }

    [Fact]
    public async Task A_deleted_nodes_id_is_never_used_again_and_its_name_is_free()
    {
        HashSet<ulong> ids = [];
        for (var i = 0; i < 5; i++)
        {
            var node = await _network.JoinAsync("web");
            Assert.Equal("web", node.Name);
            Assert.True(ids.Add(node.Id));
            await _network.DoAsync(new DeleteNode(node.Id));
        }

        await using var again = await _network.OpenAnotherAsync();
        Assert.DoesNotContain(again.State.NextNodeId, ids);
        Assert.Empty(again.State.Nodes);
    }

    [Fact]
    public async Task An_ephemeral_node_is_deleted_30_minutes_after_it_was_last_seen()
    {
        var node = await JoinEphemeralAsync();
        using var lifecycle = NewLifecycle();
        var lasting = await _network.JoinAsync("lasting");
        _network.Clock.Advance(TimeSpan.FromMinutes(20));
        _network.Runtime.Presence.Seen(node.Id);
        _network.Clock.Advance(TimeSpan.FromMinutes(29));
        await lifecycle.SweepAsync();
        Assert.NotNull(_network.State.FindNode(node.Id));
        _network.Clock.Advance(TimeSpan.FromMinutes(1));
        await lifecycle.SweepAsync();
        await Until(() => _network.State.FindNode(node.Id) is null);
        Assert.NotNull(_network.State.FindNode(lasting.Id));
    }

    [Fact]
    public async Task An_ephemeral_node_that_is_online_or_whose_coordinator_was_away_stays()
    {
        var online = await JoinEphemeralAsync();
        var away = await JoinEphemeralAsync();
        _network.Clock.Advance(TimeSpan.FromHours(5)); // The outage: what follows is a fresh start's presence.
        await using var restarted = await _network.OpenAnotherAsync();
        using var lifecycle = new NodeLifecycle(restarted, _network.Clock, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        await lifecycle.SweepAsync();
        Assert.Equal(2, restarted.State.Nodes.Count);
        using var session = restarted.Presence.Connect(online.Id, new byte[16]);
        _network.Clock.Advance(TimeSpan.FromHours(1));
        await lifecycle.SweepAsync();
        await Until(() => restarted.State.FindNode(away.Id) is null);
        Assert.NotNull(restarted.State.FindNode(online.Id));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task A_wall_clock_that_jumps_an_hour_deletes_no_ephemeral_node(int hours)
    {
        var node = await JoinEphemeralAsync();
        using var lifecycle = NewLifecycle();
        _network.Clock.Advance(TimeSpan.FromMinutes(1));
        _network.Clock.Jump(TimeSpan.FromHours(hours));
        await lifecycle.SweepAsync();
        Assert.NotNull(_network.State.FindNode(node.Id));
        _network.Clock.Advance(TimeSpan.FromMinutes(30));
        await lifecycle.SweepAsync();
        await Until(() => _network.State.FindNode(node.Id) is null);
    }

    [Fact]
    public async Task A_sighting_defeats_a_deletion_that_was_decided_before_it()
    {
        var node = await JoinEphemeralAsync();
        _network.Clock.Advance(TimeSpan.FromMinutes(31));
        // A sweep has found it absent; before its command is decided, the node is there.
        using (var lifecycle = NewLifecycle())
            await lifecycle.SightAsync(node);
        await _network.DoAsync(new DeleteAbsentNode(node.Id, node.SightedAt));
        var seen = _network.State.FindNode(node.Id);
        Assert.NotNull(seen);

        // The other way round, the node is told.
        _network.Clock.Advance(TimeSpan.FromMinutes(31));
        await _network.DoAsync(new DeleteAbsentNode(node.Id, seen.SightedAt));
        using var later = NewLifecycle();
        var refused = await Assert.ThrowsAsync<CommandRefusedException>(async () => await later.SightAsync(seen));
        Assert.Equal(RefusalReason.NodeUnknown, refused.Reason);
    }

    [Fact]
    public async Task A_node_that_is_seen_often_writes_no_sightings()
    {
        var node = await JoinEphemeralAsync();
        using var lifecycle = NewLifecycle();
        var position = _network.State.Position;
        for (var i = 0; i < 10; i++)
        {
            _network.Clock.Advance(TimeSpan.FromMinutes(20));
            await lifecycle.SightAsync(node);
        }

        Assert.Equal(position, _network.State.Position);
    }

    private Task<Node> JoinEphemeralAsync() => _network.JoinAsync("job", new CreatePreAuthKey { Ephemeral = true });

    private NodeLifecycle NewLifecycle() => new(_network.Runtime, _network.Clock, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);

    /// <summary>The sweep that a timer began may be the one that does it.</summary>
    private static async Task Until(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!condition())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
