using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Tests.Cli;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Trust;

/// <summary>Certificates are renewed, and a root follows another, under many open polls; 2,000 of them in a long run (MESH_LONG).</summary>
public sealed class ManyPollsTests
{
    private static readonly int Polls = Environment.GetEnvironmentVariable("MESH_LONG") is { Length: > 0 } ? 2000 : 60;

    /// <summary>Machines that shake hands at a time.</summary>
    private const int AtOnce = 16;

    [Fact]
    public async Task Renewals_cut_no_poll_and_a_switch_of_the_root_brings_every_machine_back_where_it_was()
    {
        await using var coordinator = await ServedCoordinator.StartAsync();
        string key = await coordinator.CreateKeyAsync(reusable: true);
        var machines = Enumerable.Range(0, Polls).Select(_ => new TestMachine(coordinator)).ToArray();
        var polls = new TestPoll[Polls];
        try
        {
            await ForAllAsync(async i =>
            {
                await machines[i].RegisterAsync(key, $"m{i}");
                polls[i] = await machines[i].PollAsync();
                await polls[i].NextAsync();
            });
            var keys = coordinator.Server.Keys;
            byte[] oldSpki = keys.RootSpki.ToArray(), leaf = Leaf(coordinator), issuer = keys.IssuerCertificate;

            // A day later the leaf is another for whoever connects; then the issuer is.
            coordinator.Clock.Jump(TimeSpan.FromHours(25));
            using (await coordinator.JoinAsync("after-the-leaf")) Assert.NotEqual(leaf, Leaf(coordinator));
            await DoAsync(coordinator, "root", "renew");
            Assert.NotEqual(issuer, keys.IssuerCertificate);
            using (await coordinator.JoinAsync("after-the-issuer")) Assert.Equal(Polls, coordinator.Network.Hub.OpenPolls);

            // The polls of before hear of what changes since, and of the root that will follow.
            await ForAllAsync(async i => await coordinator.Network.Runtime.ExecuteAsync(
                new RenameNode(machines[i].NodeId, $"renamed-{i}"), Actor.System, IdempotencyKey.None));
            await ForAllAsync(i => polls[i].UntilAsync(map => map.Self!.Name == $"renamed-{i}"));
            await DoAsync(coordinator, "root", "next");
            await ForAllAsync(async i =>
            {
                NextRoot? told = null;
                while (told is null) told = (await polls[i].NextAsync())!.Delta?.NextRoot;
                Assert.True(NextRoots.Verify(told, oldSpki));
                Assert.Equal(keys.Next, told);
            });

            await DoAsync(coordinator, "root", "switch", "--yes");
            await ForAllAsync(async i =>
            {
                MapFrame? last = null;
                while (await polls[i].NextAsync() is { } frame) last = frame;
                Assert.Equal(NoticeKind.Reconnect, last?.Notice?.Kind);
                var map = polls[i].Map;
                polls[i].Dispose();
                polls[i] = (await machines[i].PollAsync(map.Token)).From(map);
                var delta = (await polls[i].NextAsync())!.Delta;
                Assert.NotNull(delta);
                Assert.Equal(LogHeadVerdict.Valid, LogHeads.Verify(delta.Head, coordinator.Network.Runtime.Id.ToArray(), keys.RootSpki.Span));
            });
            Assert.NotEqual(oldSpki, keys.RootSpki.ToArray());
            Assert.Equal(Polls, coordinator.Network.Hub.OpenPolls);
            Assert.All(machines, machine => Assert.True(coordinator.Network.Runtime.Presence.Current.IsOnline(machine.NodeId)));
        }
        finally
        {
            foreach (var poll in polls) poll?.Dispose();
            foreach (var machine in machines) machine.Dispose();
        }
    }

    private static byte[] Leaf(ServedCoordinator coordinator) => coordinator.Server.Keys.ServerCertificate().TargetCertificate.RawData;

    private static async Task DoAsync(ServedCoordinator coordinator, params string[] verb)
    {
        var said = await Said.ByAsync([.. verb, "--state-dir", coordinator.StateDirectory]);
        Assert.True(said.ExitCode == 0, said.ToString());
    }

    private static Task ForAllAsync(Func<int, Task> action) => Parallel.ForEachAsync(
        Enumerable.Range(0, Polls), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, _) => await action(i));
}
