using Mesh.Coordinator.Network;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Hosting;

public sealed class EphemeralTests
{
    [Fact]
    public async Task An_ephemeral_machine_goes_when_it_stays_away_and_is_told_so_when_it_comes_back()
    {
        await using var coordinator = await ServedCoordinator.StartAsync();
        using var job = new TestMachine(coordinator);
        await job.RegisterAsync(await coordinator.CreateKeyAsync(ephemeral: true), "job");
        using (var poll = await job.PollAsync()) await poll.NextAsync();
        while (coordinator.Network.Runtime.Presence.Current.IsOnline(job.NodeId)) await Task.Yield();
        coordinator.Clock.Advance(NetworkLimits.EphemeralAbsence - TimeSpan.FromMinutes(1));
        using (var poll = await job.PollAsync()) await poll.NextAsync(); // In the last minute: written into the log, and it stays.
        Assert.Contains(coordinator.Network.Runtime.State.Nodes.Values, node => node.Id == job.NodeId && node.SightedAt == coordinator.Network.Runtime.State.Position);

        while (coordinator.Network.Runtime.Presence.Current.IsOnline(job.NodeId)) await Task.Yield();
        coordinator.Clock.Advance(NetworkLimits.EphemeralAbsence + TimeSpan.FromMinutes(1));
        while (coordinator.Network.Runtime.State.Nodes.Count > 0) await Task.Yield();
        Assert.Equal(ProblemType.NotRegistered, (await Assert.ThrowsAsync<ProblemReceived>(() => job.PollAsync())).Problem.Type);
    }

    [Fact]
    public async Task An_ephemeral_machine_goes_at_its_logout()
    {
        await using var coordinator = await ServedCoordinator.StartAsync();
        using var job = new TestMachine(coordinator);
        await job.RegisterAsync(await coordinator.CreateKeyAsync(ephemeral: true), "job");
        await job.CallAsync(NodeApi.Logout, new LogoutRequest { Header = TestMachine.Header() }, LogoutResponse.Parser);
        Assert.Empty(coordinator.Network.Runtime.State.Nodes);
    }
}
