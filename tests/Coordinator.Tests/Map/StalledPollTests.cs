using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Crypto;

namespace Mesh.Coordinator.Tests.Map;

public sealed class StalledPollTests
{
    [Fact]
    public async Task A_poll_whose_reader_takes_nothing_is_closed_and_the_others_go_on()
    {
        await using var coordinator = await ServedCoordinator.StartAsync();
        await coordinator.AllowAllAsync();
        // Enough peers that a snapshot does not fit into what a client takes unasked.
        string key = await coordinator.CreateKeyAsync(reusable: true);
        await Task.WhenAll(Enumerable.Range(0, 4000).Select(i => coordinator.Network.Runtime.ExecuteAsync(
            new RegisterNode { MachineKey = new MachineKey(BitConverter.GetBytes(i)), NodeKey = KeyOf(i), PreAuthKey = key },
            Actor.System, IdempotencyKey.None).AsTask()));

        using var slow = await coordinator.JoinAsync("slow");
        using var good = await coordinator.JoinAsync("good");
        using var stalled = await slow.PollAsync();
        using var read = await good.PollAsync();
        await read.NextAsync();
        Assert.Equal(2, coordinator.Network.Hub.OpenPolls);

        while (coordinator.Network.Runtime.Presence.Current.IsOnline(slow.NodeId))
        {
            coordinator.Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        Assert.Equal(1, coordinator.Network.Hub.OpenPolls);
        Assert.True(coordinator.Network.Runtime.Presence.Current.IsOnline(good.NodeId));
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (await stalled.NextAsync() is not null)
            {
            }
        });

        using var again = await slow.PollAsync();
        Assert.Equal(4001, (await again.NextAsync())!.Snapshot.Peers.Count);
    }

    private static X25519PublicKey KeyOf(int i)
    {
        byte[] bytes = new byte[32];
        BitConverter.TryWriteBytes(bytes, i + 1);
        return new X25519PublicKey(bytes);
    }
}
