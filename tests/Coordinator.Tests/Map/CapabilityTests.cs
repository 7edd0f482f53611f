using Mesh.Coordinator.Map;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Map;

public sealed class CapabilityTests
{
    [Fact]
    public async Task What_a_node_can_do_is_told_to_its_peers_and_outlives_a_restart()
    {
        await using var coordinator = await ServedCoordinator.StartAsync();
        await coordinator.AllowAllAsync();
        using var viewer = await coordinator.JoinAsync("viewer");
        using var poll = await viewer.PollAsync();
        using var machine = new TestMachine(coordinator) { Capabilities = { Capability.TwoNodeKeys, (Capability)40, (Capability)(-1), Capability.Unspecified } };
        await machine.RegisterAsync(await coordinator.CreateKeyAsync(), "able");
        await poll.UntilAsync(map => map.Peers.ContainsKey(machine.NodeId));
        Assert.Equal([Capability.TwoNodeKeys], poll.Map.Peers[machine.NodeId].Capabilities);

        machine.Capabilities.Add(Capability.PacketFilter);
        using (await machine.PollAsync())
            await poll.UntilAsync(map => map.Peers[machine.NodeId].Capabilities.Count == 2);
        // Said again, it is no news.
        long position = coordinator.Network.Runtime.State.Position;
        using (var again = await machine.PollAsync()) await again.NextAsync();
        Assert.Equal(position, coordinator.Network.Runtime.State.Position);

        await coordinator.RestartAsync();
        using var after = await viewer.PollAsync();
        await after.NextAsync();
        Assert.Equal([Capability.TwoNodeKeys, Capability.PacketFilter], after.Map.Peers[machine.NodeId].Capabilities);
    }

    [Fact]
    public void Numbers_that_this_coordinator_does_not_know_grant_nothing() =>
        Assert.Equal(1ul << 1 | 1ul << 2, PeerEntry.Known([Capability.PacketFilter, Capability.TwoNodeKeys, (Capability)3, (Capability)64, (Capability)int.MinValue, Capability.Unspecified]));
}
