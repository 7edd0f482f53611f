using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Hosting;

public sealed class ClockTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task A_clock_that_jumps_an_hour_takes_nobody_offline_and_stops_nobody_from_joining(int hours)
    {
        await using var coordinator = await ServedCoordinator.StartAsync();
        await coordinator.AllowAllAsync();
        using var web = await coordinator.JoinAsync("web");
        using var poll = await web.PollAsync();
        await poll.NextAsync();
        var challenge = await web.ChallengeAsync();

        coordinator.Clock.Jump(TimeSpan.FromHours(hours));
        // What was begun before goes on: a challenge's age is not the wall clock's business.
        var rotate = new RotateRequest { Header = TestMachine.Header(), NodeKey = web.Prove(Mesh.Crypto.X25519PrivateKey.Generate(), challenge) };
        await web.CallAsync(NodeApi.Rotate, rotate, RotateResponse.Parser);
        using var db = await coordinator.JoinAsync("db"); // On a connection and a leaf of its own.
        await poll.UntilAsync(map => map.Peers.ContainsKey(db.NodeId));
        Assert.True(coordinator.Network.Runtime.Presence.Current.IsOnline(web.NodeId));

        await coordinator.RestartAsync();
        Assert.Equal(2, coordinator.Network.Runtime.State.Nodes.Count);
        using var again = new TestMachine(coordinator, web.Certificate);
        using var resumed = (await again.PollAsync(poll.Map.Token)).From(poll.Map);
        Assert.Equal(MapFrame.FrameOneofCase.Delta, (await resumed.NextAsync())!.FrameCase);
    }
}
