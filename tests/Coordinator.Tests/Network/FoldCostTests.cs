using System.Buffers.Binary;
using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Network.Events;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

public sealed class FoldCostTests
{
    [Fact]
    public async Task A_join_costs_a_large_network_hardly_more_than_a_small_one()
    {
        await using var network = await CreateAsync();
        var state = network.State;
        var small = 0L;
        for (var i = 0; i < 20_000; i++)
        {
            var e = Join(state, i);
            var before = GC.GetAllocatedBytesForCurrentThread();
            state = NetworkFold.Apply(state, e);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            // Paths in balanced trees: their length is what grows. Averages even out the odd rebalancing.
            if (i is >= 900 and < 1000)
                small += allocated;
            if (i is >= 19_900)
                small -= allocated / 2;
        }

        Assert.Equal(20_000, state.Nodes.Count);
        Assert.True(small > 0, $"a join into 20,000 nodes allocates more than twice of one into 1,000 (by {-small / 50} bytes each)");
    }

    [Fact]
    public async Task A_state_that_is_kept_shares_what_did_not_change()
    {
        await using var network = await CreateAsync();
        var node = await network.JoinAsync("a");
        var before = network.State;
        await network.JoinAsync("b");
        Assert.Same(node, network.State.FindNode(node.Id));
        Assert.Null(before.FindByName("b"));
        Assert.Same(before.Policy.Program, network.State.Policy.Program);
    }

    private static NetworkEvent Join(NetworkState state, int number)
    {
        var key = new byte[32];
        BinaryPrimitives.WriteInt32LittleEndian(key, number + 1);
        var ipv4 = state.Addresses.Next()!;
        var payload = new NodeRegistered
        {
            Id = state.NextNodeId,
            MachineSpki = ByteString.CopyFrom(key),
            NodeKey = ByteString.CopyFrom(key),
            Name = state.Names.FreeNameFor("ubuntu"),
            Ipv4 = ByteString.CopyFrom(ipv4.GetAddressBytes()),
            Ipv6 = ByteString.CopyFrom(state.Addresses.IPv6For(ipv4).GetAddressBytes()),
            Approved = true,
        };
        var header = new EventHeader(
            state.Position + 1, DateTimeOffset.UnixEpoch, EventKind.NodeRegistered, Actor.System, IdempotencyKey.None, default);
        return new NetworkEvent(header, default, payload);
    }
}
