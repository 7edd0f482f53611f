using System.Collections.Immutable;
using System.Net;
using Mesh.Coordinator.Presence;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Presence;

public sealed class NetworkPresenceTests
{
    private static readonly byte[] Boot = new byte[16];
    private static readonly byte[] OtherBoot = [.. Enumerable.Repeat((byte)1, 16)];

    private readonly ManualClock _clock = new();
    private readonly NetworkPresence _presence;
    private readonly List<ulong> _changed = [];

    public NetworkPresenceTests()
    {
        _presence = new NetworkPresence(_clock);
        _presence.Changed += nodeId =>
        {
            lock (_changed)
                _changed.Add(nodeId);
        };
    }

    [Fact]
    public void A_node_is_online_from_its_first_session_to_the_end_of_its_newest()
    {
        var first = _presence.Connect(1, Boot);
        Assert.True(_presence.Current.IsOnline(1));
        var second = _presence.Connect(1, Boot);
        first.Dispose();
        Assert.True(_presence.Current.IsOnline(1));
        second.Dispose();
        Assert.False(_presence.Current.IsOnline(1));
        second.Dispose();
        Assert.Equal([1UL, 1UL], _changed); // On, off; the reconnect in between is nobody's business.
        Assert.Equal(2, _presence.Current.Version);
    }

    [Fact]
    public async Task An_earlier_session_learns_that_it_was_replaced_and_by_whom()
    {
        var first = _presence.Connect(1, Boot);
        var second = _presence.Connect(1, Boot);
        Assert.Equal(SessionEnd.Reconnected, await first.Superseded);
        Assert.False(second.TookOverFromOtherBoot);
        var copy = _presence.Connect(1, OtherBoot);
        Assert.Equal(SessionEnd.OtherBoot, await second.Superseded);
        Assert.True(copy.TookOverFromOtherBoot);
        Assert.False(copy.Superseded.IsCompleted);
    }

    [Fact]
    public void A_report_replaces_the_endpoints_and_the_same_report_changes_nothing()
    {
        Assert.True(_presence.Report(1, Boot, Endpoints(1)));
        Assert.True(_presence.Report(1, Boot, Endpoints(1)));
        Assert.Equal(1, _presence.Current.Version);
        Assert.True(_presence.Report(1, Boot, Endpoints(2, 3)));
        var view = _presence.Current;
        Assert.Equal((2, 2), (view.Version, view.Find(1)!.Version));
        Assert.Equal([2, 3], view.Find(1)!.Endpoints.Select(endpoint => endpoint.Port));
        Assert.False(view.IsOnline(1));
    }

    [Fact]
    public void A_report_of_another_boot_than_the_live_session_is_ignored()
    {
        using var session = _presence.Connect(1, Boot);
        Assert.False(_presence.Report(1, OtherBoot, Endpoints(1)));
        Assert.Empty(_presence.Current.Find(1)!.Endpoints);
    }

    [Fact]
    public void A_node_that_comes_back_unchanged_keeps_its_endpoints()
    {
        var session = _presence.Connect(1, Boot);
        _presence.Report(1, Boot, Endpoints(7));
        session.Dispose();
        using var again = _presence.Connect(1, OtherBoot);
        Assert.False(again.TookOverFromOtherBoot);
        Assert.Equal(Endpoints(7), _presence.Current.Find(1)!.Endpoints);
    }

    [Fact]
    public void A_view_that_was_taken_never_changes()
    {
        var before = _presence.Current;
        using var session = _presence.Connect(1, Boot);
        Assert.Null(before.Find(1));
        Assert.NotNull(_presence.Current.Find(1));
    }

    [Fact]
    public void Last_seen_is_now_while_online_and_stands_still_after()
    {
        Assert.Null(_presence.LastSeen(1));
        var session = _presence.Connect(1, Boot);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(_clock.GetUtcNow(), _presence.LastSeen(1));
        session.Dispose();
        var end = _clock.GetUtcNow();
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(end, _presence.LastSeen(1));
        _presence.Seen(1);
        Assert.Equal(_clock.GetUtcNow(), _presence.LastSeen(1));
        Assert.Equal(2, _presence.Current.Version);
    }

    [Fact]
    public async Task A_deleted_node_is_forgotten_and_its_session_ended()
    {
        var session = _presence.Connect(1, Boot);
        _presence.Forget(1);
        Assert.Equal(SessionEnd.Forgotten, await session.Superseded);
        Assert.Null(_presence.Current.Find(1));
        Assert.Null(_presence.LastSeen(1));
        session.Dispose();
        Assert.Null(_presence.Current.Find(1));
    }

    [Fact]
    public void Two_lives_of_a_presence_have_two_epochs() =>
        Assert.NotEqual(_presence.Epoch, new NetworkPresence(_clock).Epoch);

    [Fact]
    public async Task Sessions_that_come_and_go_on_many_threads_leave_everyone_offline_and_every_version_used_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                using var session = _presence.Connect((ulong)(i % 7), thread % 2 == 0 ? Boot : OtherBoot);
                _presence.Report((ulong)(i % 7), Boot, Endpoints(i % 3));
            }
        })));
        var view = _presence.Current;
        Assert.All(view.Nodes.Values, node => Assert.False(node.Online));
        Assert.Equal(view.Nodes.Count, view.Nodes.Values.Select(node => node.Version).Distinct().Count());
        Assert.Equal(view.Version, view.Nodes.Values.Max(node => node.Version));
    }

    private static ImmutableArray<PresenceEndpoint> Endpoints(params int[] ports) =>
        [.. ports.Select(port => new PresenceEndpoint(IPAddress.Loopback, (ushort)port, EndpointSource.Local))];
}
