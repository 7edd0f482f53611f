using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Tests.Network;

public sealed class CrashTests
{
    /// <summary>Two kills each: 300 in a long run (MESH_LONG); the short one shows the principle.</summary>
    private static readonly int Rounds = Environment.GetEnvironmentVariable("MESH_LONG") is { Length: > 0 } ? 150 : 4;

    [Fact]
    public async Task Kill_9_amid_commits_of_two_processes_loses_nothing_acknowledged()
    {
        using var directory = new TemporaryDirectory();
        using var signer = await LogWriterProcess.CreateNetworkAsync(directory);
        var networks = LogWriterProcess.Open(directory, signer);
        var acknowledged = new HashSet<string>();
        for (var round = 0; round < Rounds; round++)
        {
            using var one = LogWriterProcess.Start(directory);
            using var two = LogWriterProcess.Start(directory);
            foreach (var lines in await Task.WhenAll(one.ReadAndKillAsync(20 + (17 * round % 60)), two.ReadAndKillAsync(30)))
                Assert.All(lines, line => Assert.True(acknowledged.Add(line)));

            var result = LogVerifier.Verify(networks.LogPath(LogWriterProcess.NetworkName), signer.RootSpki);
            Assert.Empty(result.Problems);
            await using var network = await networks.OpenAsync(LogWriterProcess.NetworkName);
            Assert.Equal(result.End, network.State.Point);
            TestNetwork.Describe(network.State);
            var registered = network.State.Nodes.Values
                .Select(node => $"{node.Id} {node.MachineKey.Id} {node.IPv4} {node.Name} .").ToHashSet();
            Assert.Superset(acknowledged, registered);
        }

        Assert.True(acknowledged.Count >= Rounds * 50);
    }
}
