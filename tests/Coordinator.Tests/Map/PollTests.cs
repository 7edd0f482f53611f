using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Crypto;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Map;

public sealed class PollTests : IAsyncLifetime
{
    private ServedCoordinator _coordinator = null!;

    public async ValueTask InitializeAsync() => _coordinator = await ServedCoordinator.StartAsync();

    public ValueTask DisposeAsync() => _coordinator.DisposeAsync();

    [Fact]
    public async Task Without_a_policy_nobody_sees_anybody_and_the_filter_grants_nothing()
    {
        using var a = await _coordinator.JoinAsync("a");
        using var b = await _coordinator.JoinAsync("b");
        using var poll = await a.PollAsync();
        var snapshot = (await poll.NextAsync())!.Snapshot;
        Assert.Empty(snapshot.Peers);
        Assert.Empty(snapshot.Filter.Ingress);
        Assert.False(snapshot.Reset);
        Assert.Equal(a.NodeId, snapshot.Self.NodeId);
        Assert.Equal<byte>([127, 0, 0, 1], snapshot.Self.Observed.Address.ToByteArray());
        Assert.Equal(LogHeadVerdict.Valid, LogHeads.Verify(
            snapshot.Head, _coordinator.Network.Runtime.Id.ToArray(), _coordinator.Server.Keys.RootSpki.Span));
    }

    [Fact]
    public async Task A_policy_change_opens_and_closes_an_open_poll()
    {
        using var a = await _coordinator.JoinAsync("a");
        using var b = await _coordinator.JoinAsync("b");
        using var poll = await a.PollAsync();
        await poll.NextAsync();
        await _coordinator.AllowAllAsync();
        await poll.UntilAsync(map => map.Peers.ContainsKey(b.NodeId));
        Assert.NotEmpty(poll.Map.Filter.Ingress);
        Assert.Contains(poll.Map.Peers[b.NodeId].ClassId, poll.Map.Filter.Ingress[0].Classes);
        await _coordinator.SetPolicyAsync(NetworkPolicy.DenyAllText);
        await poll.UntilAsync(map => map.Peers.Count == 0);
        Assert.Empty(poll.Map.Filter.Ingress);
    }

    [Fact]
    public async Task Only_whose_view_changes_hears_of_a_change()
    {
        const string Webs = """{"acls": [{"action": "accept", "src": ["tag:web"], "dst": ["tag:web:80"]}], "tagOwners": {"tag:web": ["ann@"], "tag:db": ["ann@"]}}""";
        const string WebsAndDbs = """
            {"acls": [{"action": "accept", "src": ["tag:web"], "dst": ["tag:web:80"]}, {"action": "accept", "src": ["tag:db"], "dst": ["tag:db:5432"]}],
             "tagOwners": {"tag:web": ["ann@"], "tag:db": ["ann@"]}}
            """;
        await _coordinator.SetPolicyAsync(Webs);
        using var web = await _coordinator.JoinAsync("web", new CreatePreAuthKey { Tags = ["tag:web"] });
        using var db = await _coordinator.JoinAsync("db", new CreatePreAuthKey { Tags = ["tag:db"] });
        using var webPoll = await web.PollAsync();
        using var dbPoll = await db.PollAsync();
        await webPoll.NextAsync();
        await dbPoll.NextAsync();

        await _coordinator.SetPolicyAsync(WebsAndDbs);
        using var db2 = await _coordinator.JoinAsync("db2", new CreatePreAuthKey { Tags = ["tag:db"] });
        await dbPoll.UntilAsync(map => map.Peers.ContainsKey(db2.NodeId));
        var class1 = Assert.Single(dbPoll.Map.Filter.Ingress).Classes[0];
        using var web2 = await _coordinator.JoinAsync("web2", new CreatePreAuthKey { Tags = ["tag:web"] });

        // The first frame that the web server gets is about what it sees, and says nothing of a filter that is as it was.
        var frame = await webPoll.NextAsync();
        Assert.Equal(web2.NodeId, Assert.Single(frame!.Delta.Upserts).NodeId);
        Assert.Null(frame.Delta.Filter);
        Assert.Null(frame.Delta.Self);
        Assert.NotEqual(class1, frame.Delta.Upserts[0].ClassId);
    }

    [Fact]
    public async Task Machines_of_one_user_see_each_other_and_nobody_elses_by_autogroup_self()
    {
        await _coordinator.SetPolicyAsync("""{"acls": [{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*"]}]}""");
        using var ann = await _coordinator.JoinAsync("a", new CreatePreAuthKey { User = "ann" });
        using var bob = await _coordinator.JoinAsync("b", new CreatePreAuthKey { User = "bob" });
        using var nobodys = await _coordinator.JoinAsync("c");
        using var poll = await ann.PollAsync();
        Assert.Empty((await poll.NextAsync())!.Snapshot.Peers);
        Assert.True(Assert.Single(poll.Map.Filter.Ingress).SameOwner);

        using var ann2 = await _coordinator.JoinAsync("a2", new CreatePreAuthKey { User = "ann" });
        await poll.UntilAsync(map => map.Peers.ContainsKey(ann2.NodeId));
        Assert.Single(poll.Map.Peers);
        using var ofNobody = await nobodys.PollAsync();
        Assert.Empty((await ofNobody.NextAsync())!.Snapshot.Peers);
        Assert.Equal(ann.NodeId, Assert.Single((await (await ann2.PollAsync()).NextAsync())!.Snapshot.Peers).NodeId);
    }

    [Fact]
    public async Task A_peer_comes_reports_rotates_goes_offline_and_leaves()
    {
        await _coordinator.AllowAllAsync();
        using var a = await _coordinator.JoinAsync("a");
        using var poll = await a.PollAsync();
        await poll.NextAsync();

        using var b = await _coordinator.JoinAsync("b");
        await poll.UntilAsync(map => map.Peers.TryGetValue(b.NodeId, out var peer) && !peer.Presence.Online);
        using (var other = await b.PollAsync())
        {
            await poll.UntilAsync(map => map.Peers[b.NodeId].Presence.Online);
            await b.ReportAsync(TestMachine.Local("192.0.2.7:41641"));
            await poll.UntilAsync(map => map.Peers[b.NodeId].Presence.Endpoints.Count == 1);
            Assert.Equal(TestMachine.Local("192.0.2.7:41641"), poll.Map.Peers[b.NodeId].Presence.Endpoints[0]);

            using var next = X25519PrivateKey.Generate();
            await b.CallAsync(NodeApi.Rotate, new RotateRequest { Header = TestMachine.Header(), NodeKey = await b.ProveAsync(next) }, RotateResponse.Parser);
            await poll.UntilAsync(map => map.Peers[b.NodeId].NodeKey.Span.SequenceEqual(next.PublicKey.AsSpan()));
            Assert.Equal(b.NodeKey.PublicKey.ToArray(), poll.Map.Peers[b.NodeId].PreviousNodeKey.ToByteArray());
        }
        await poll.UntilAsync(map => !map.Peers[b.NodeId].Presence.Online);
        await b.CallAsync(NodeApi.Logout, new LogoutRequest { Header = TestMachine.Header() }, LogoutResponse.Parser);
        await poll.UntilAsync(map => map.Peers.Count == 0);
    }

    [Fact]
    public async Task A_quiet_poll_gets_a_keepalive_about_every_25_seconds()
    {
        using var a = await _coordinator.JoinAsync("a");
        using var poll = await a.PollAsync();
        await poll.NextAsync();
        var from = _coordinator.Clock.GetUtcNow();
        var next = poll.NextAsync();
        while (!next.IsCompleted && _coordinator.Clock.GetUtcNow() - from < TimeSpan.FromSeconds(22)) _coordinator.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False(next.IsCompleted);
        _coordinator.Clock.Advance(TimeSpan.FromSeconds(7));
        Assert.Equal(MapFrame.FrameOneofCase.KeepAlive, (await next)!.FrameCase);
    }

    [Fact]
    public async Task A_keepalive_carries_the_head_and_a_fresh_token_when_the_log_went_on_unseen()
    {
        using var a = await _coordinator.JoinAsync("a");
        using var poll = await a.PollAsync();
        await poll.NextAsync();
        ulong before = poll.Map.Position;
        await _coordinator.CreateKeyAsync();
        _coordinator.Clock.Advance(TimeSpan.FromSeconds(29));
        Assert.Equal(MapFrame.FrameOneofCase.Delta, (await poll.NextAsync())!.FrameCase);
        Assert.Equal(before + 1, poll.Map.Position);
    }

    [Fact]
    public async Task A_poll_that_was_cut_resumes_with_a_delta()
    {
        await _coordinator.AllowAllAsync();
        using var a = await _coordinator.JoinAsync("a");
        using var b = await _coordinator.JoinAsync("b");
        TestMap map;
        using (var poll = await a.PollAsync())
        {
            await poll.NextAsync();
            map = poll.Map;
        }
        using var c = await _coordinator.JoinAsync("c");
        await b.ReportAsync(TestMachine.Local("192.0.2.7:41641"));
        await b.CallAsync(NodeApi.Logout, new LogoutRequest { Header = TestMachine.Header() }, LogoutResponse.Parser);

        using var resumed = (await a.PollAsync(map.Token)).From(map);
        Assert.Equal(MapFrame.FrameOneofCase.Delta, (await resumed.NextAsync())!.FrameCase);
        Assert.Equal([c.NodeId], resumed.Map.Peers.Keys);
    }

    [Fact]
    public async Task A_fleet_that_comes_back_as_it_was_after_an_orderly_restart_causes_no_delta()
    {
        await _coordinator.AllowAllAsync();
        using var a = await _coordinator.JoinAsync("a");
        using var b = await _coordinator.JoinAsync("b");
        await b.ReportAsync(TestMachine.Local("192.0.2.7:41641"));
        TestMap map;
        using (var other = await b.PollAsync())
        {
            await other.NextAsync();
            using var poll = await a.PollAsync();
            await poll.NextAsync();
            await poll.UntilAsync(m => m.Peers[b.NodeId].Presence is { Online: true, Endpoints.Count: 1 });
            map = poll.Map;
            await _coordinator.RestartAsync();
        }
        var version = _coordinator.Network.Runtime.Presence.Current.Version;
        using var again = new TestMachine(_coordinator, a.Certificate);
        using var resumed = (await again.PollAsync(map.Token)).From(map);
        var delta = (await resumed.NextAsync())!.Delta;
        Assert.Equal((0, 0, 0), (delta.Upserts.Count, delta.Presences.Count, delta.Removals.Count));
        using var bAgain = new TestMachine(_coordinator, b.Certificate) { BootId = b.BootId };
        using var bPoll = await bAgain.PollAsync();
        await bPoll.NextAsync();
        await bAgain.ReportAsync(TestMachine.Local("192.0.2.7:41641"));
        Assert.Equal(version, _coordinator.Network.Runtime.Presence.Current.Version);
    }

    [Fact]
    public async Task A_node_that_does_not_come_back_after_a_restart_is_offline_to_the_others_two_minutes_later()
    {
        await _coordinator.AllowAllAsync();
        using var a = await _coordinator.JoinAsync("a");
        using var b = await _coordinator.JoinAsync("b");
        TestMap map;
        using (var other = await b.PollAsync())
        {
            await other.NextAsync();
            using var poll = await a.PollAsync();
            await poll.NextAsync();
            map = poll.Map;
            await _coordinator.RestartAsync();
        }
        using var again = new TestMachine(_coordinator, a.Certificate);
        using var resumed = (await again.PollAsync(map.Token)).From(map);
        await resumed.NextAsync();
        Assert.True(resumed.Map.Peers[b.NodeId].Presence.Online);
        _coordinator.Clock.Advance(TimeSpan.FromMinutes(2));
        await resumed.UntilAsync(m => !m.Peers[b.NodeId].Presence.Online);
    }

    [Fact]
    public async Task A_node_that_was_away_for_longer_than_states_are_kept_gets_a_fresh_map()
    {
        using var a = await _coordinator.JoinAsync("a");
        TestMap map;
        using (var poll = await a.PollAsync())
        {
            await poll.NextAsync();
            map = poll.Map;
        }
        // Group commit keeps one state for many events, so each is awaited.
        for (int i = 0; i < RuntimeSizes.Default.States; i++) await _coordinator.CreateKeyAsync();
        using var resumed = await a.PollAsync(map.Token);
        Assert.True((await resumed.NextAsync())!.Snapshot.Reset);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(40)]
    [InlineData(60)]
    [InlineData(80)]
    public async Task A_token_that_is_not_ours_to_the_bit_gives_a_snapshot_with_reset(int flipped)
    {
        using var a = await _coordinator.JoinAsync("a");
        byte[] token;
        using (var poll = await a.PollAsync())
        {
            await poll.NextAsync();
            token = poll.Map.Token.ToByteArray();
        }
        token[flipped] ^= 1;
        using var resumed = await a.PollAsync(Google.Protobuf.ByteString.CopyFrom(token));
        var snapshot = (await resumed.NextAsync())!.Snapshot;
        Assert.True(snapshot.Reset);
    }

    [Fact]
    public async Task Another_nodes_token_gives_a_snapshot_with_reset()
    {
        using var a = await _coordinator.JoinAsync("a");
        using var b = await _coordinator.JoinAsync("b");
        using var poll = await a.PollAsync();
        await poll.NextAsync();
        using var other = await b.PollAsync(poll.Map.Token);
        Assert.True((await other.NextAsync())!.Snapshot.Reset);
    }

    [Fact]
    public async Task Two_boots_of_one_machine_are_both_told_and_the_newer_stays()
    {
        using var a = await _coordinator.JoinAsync("a");
        using var copy = new TestMachine(_coordinator, a.Certificate);
        using var first = await a.PollAsync();
        await first.NextAsync();
        using var second = await copy.PollAsync();
        await second.NextAsync();
        Assert.Equal(NoticeKind.DuplicateSession, (await second.NextAsync())!.Notice.Kind);
        Assert.Equal(NoticeKind.DuplicateSession, (await first.NextAsync())!.Notice.Kind);
        Assert.Null(await first.NextAsync());
        Assert.True(_coordinator.Network.Runtime.Presence.Current.IsOnline(a.NodeId));
    }

    [Fact]
    public async Task A_newer_poll_of_the_same_boot_ends_the_older_quietly()
    {
        using var a = await _coordinator.JoinAsync("a");
        using var first = await a.PollAsync();
        await first.NextAsync();
        using var second = await a.PollAsync();
        await second.NextAsync();
        Assert.Null(await first.NextAsync());
        Assert.True(_coordinator.Network.Runtime.Presence.Current.IsOnline(a.NodeId));
    }

    [Fact]
    public async Task A_removed_node_is_told_and_its_poll_ends()
    {
        using var a = await _coordinator.JoinAsync("a");
        using var poll = await a.PollAsync();
        await poll.NextAsync();
        await a.CallAsync(NodeApi.Logout, new LogoutRequest { Header = TestMachine.Header() }, LogoutResponse.Parser);
        Assert.Equal(NoticeKind.Removed, (await poll.NextAsync())!.Notice.Kind);
        Assert.Null(await poll.NextAsync());
    }

    [Fact]
    public async Task A_coordinator_that_stops_asks_every_poll_to_come_back()
    {
        using var a = await _coordinator.JoinAsync("a");
        using var poll = await a.PollAsync();
        await poll.NextAsync();
        _coordinator.Server.Networks.Stop();
        Assert.Equal(NoticeKind.Reconnect, (await poll.NextAsync())!.Notice.Kind);
        Assert.Null(await poll.NextAsync());
        Assert.Equal(ProblemType.Unavailable, (await Assert.ThrowsAsync<ProblemReceived>(() => a.PollAsync())).Problem.Type);
    }

    [Fact]
    public async Task A_wish_to_reach_a_peer_arrives_at_its_poll_if_the_policy_lets_the_two_see_each_other()
    {
        using var a = await _coordinator.JoinAsync("a");
        using var b = await _coordinator.JoinAsync("b");
        var request = new ReachRequest { Header = TestMachine.Header(), NodeId = b.NodeId };
        request.Endpoints.Add(TestMachine.Local("192.0.2.7:41641"));
        Assert.Equal(ProblemType.NotFound, (await a.RefusedAsync(NodeApi.Reach, request)).Type);

        await _coordinator.AllowAllAsync();
        using var poll = await b.PollAsync();
        await poll.NextAsync();
        await a.CallAsync(NodeApi.Reach, request, ReachResponse.Parser);
        MapFrame frame;
        do frame = (await poll.NextAsync())!;
        while (frame.FrameCase != MapFrame.FrameOneofCase.Reach);
        Assert.Equal(a.NodeId, frame.Reach.NodeId);
        Assert.Equal(request.Endpoints, frame.Reach.Endpoints);
    }

    [Fact]
    public async Task A_report_is_paired_with_the_address_it_came_from()
    {
        await _coordinator.AllowAllAsync();
        using var a = await _coordinator.JoinAsync("a");
        using var b = await _coordinator.JoinAsync("b");
        var report = new ReportRequest { Header = TestMachine.Header(), BootId = Google.Protobuf.ByteString.CopyFrom(b.BootId), ListenPort = 41641 };
        var response = await b.CallAsync(NodeApi.Report, report, ReportResponse.Parser);
        Assert.Equal<byte>([127, 0, 0, 1], response.Observed.Address.ToByteArray());
        using var poll = await a.PollAsync();
        await poll.NextAsync();
        var seen = Assert.Single(poll.Map.Peers[b.NodeId].Presence.Endpoints);
        Assert.Equal((EndpointSource.Observed, 41641u), (seen.Source, seen.Port));
    }
}
