using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Soak;

namespace Mesh.EndToEnd.Wg;

/// <summary><c>mesh wg --queues N</c>: what is spread over several threads arrives as it would through one.</summary>
public class QueueTests
{
    private const int Queues = 3;
    private const long PayloadBytes = 16 * Transfer.Mebibyte;

    /// <summary>What a receiver must take (Crypto.ReplayWindow.Width).</summary>
    private const long WorstReordering = 8_128;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(Implementation.Mesh, false)]
    [InlineData(Implementation.Mesh, true)]
    [InlineData(Implementation.WireGuardGo, false)]
    [InlineData(Implementation.WireGuardGo, true)]
    public async Task Flows_of_both_kinds_families_and_directions_arrive_whole(Implementation other, bool underlayIs6)
    {
        await using var lab = new NetworkLab();
        var (client, server) = await InteropTests.PairAsync(lab, Implementation.Mesh, other, "--queues", $"{Queues}");
        await server.UpAsync(client);
        await client.UpAsync(server, InteropTests.Endpoint(1, underlayIs6));
        await Wait.UntilAsync("a ping", Deadline, () => client.Host.PingsAsync(server.Address4));
        Assert.True(await client.Host.PingsAsync(server.Address6));
        Assert.Equal(2 * Queues, await SocketsAsync(client));
        await CarryAsync(client, server, () => Task.CompletedTask);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(Queues)]
    public async Task Flows_go_on_while_a_peer_moves_from_one_queue_to_another_and_back(int queues)
    {
        await using var lab = new NetworkLab();
        var (client, server) = await InteropTests.PairAsync(lab, Implementation.Mesh, Implementation.Mesh, "--queues", $"{queues}");
        await server.UpAsync(client);
        await client.UpAsync(server, InteropTests.Endpoint(1));
        await Wait.UntilAsync("a ping", Deadline, () => client.Host.PingsAsync(server.Address4));
        await CarryAsync(client, server, async () =>
        {
            for (int i = 0; i < 20; i++)
            {
                // Of both families in turns, and each from a port that the kernel gives to a queue by chance.
                await client.SetAsync("listen-port", $"{10_000 + i}", "peer", server.PublicKey, "endpoint", InteropTests.Endpoint(1, v6: i % 2 == 0));
                Assert.Equal(2 * queues, await SocketsAsync(client));
                await Wait.UntilAsync("a ping", Deadline, () => client.Host.PingsAsync(server.Address4));
                Assert.EndsWith($":{10_000 + i}", await server.ShowAsync("endpoints"), StringComparison.Ordinal);
            }
        });
    }

    [Fact]
    public async Task An_interface_made_before_for_one_queue_has_one_and_says_so()
    {
        await using var lab = new NetworkLab();
        var host = await lab.AddHostAsync("host");
        await host.IpAsync("tuntap add mode tun name kept");
        var process = host.Start([.. WgDevice.Command(Implementation.Mesh, "kept"), "--queues", "2"]);
        await Wait.UntilAsync("kept answers", Deadline, async () => (await host.TryAsync(["wg", "show", "kept"])).ExitCode == 0, () => process.Error);
        await host.IpAsync("link set kept up");
        await Wait.UntilAsync("its sockets are open", Deadline, async () => (await host.RunAsync("ss", "-ulnH")).Length > 0);
        Assert.Equal(2, (await host.RunAsync("ss", "-ulnH")).TrimEnd().Split('\n').Length);
        Assert.Equal("mesh wg: kept has one queue instead of 2: it was made before, without multi_queue", process.Error.Trim());
    }

    /// <summary>Carries TCP with a sum over it and datagrams with sums in them, both ways and over both families at once.</summary>
    private static async Task CarryAsync(WgDevice client, WgDevice server, Func<Task> meanwhile)
    {
        (WgDevice From, WgDevice To)[] ways = [(client, server), (server, client)];
        DatagramFlow[] flows =
        [
            .. ways.SelectMany((way, i) => (DatagramFlow[])
            [
                new(way.From.Host, way.From.Address4, way.To.Host, way.To.Address4, 7000 + i, segments: false),
                new(way.From.Host, way.From.Address6, way.To.Host, way.To.Address6, 7010 + i, segments: true),
            ]),
        ];
        try
        {
            Task<TransferResult>[] transfers =
            [
                .. ways.SelectMany(way => new[] { way.To.Address4, way.To.Address6, way.To.Address4, way.To.Address6 }
                    .Select(address => Transfer.RunAsync(way.From.Host, way.To.Host, address, PayloadBytes))),
            ];
            await meanwhile();
            Assert.All(await Task.WhenAll(transfers), result => Assert.True(result.Intact && result.BytesReceived == PayloadBytes));
            foreach (DatagramFlow flow in flows) flow.StopSending();
            await Wait.UntilAsync("the last datagrams are in", Deadline, () => client.Host.PingsAsync(server.Address4));
        }
        finally
        {
            foreach (DatagramFlow flow in flows) flow.Dispose();
        }
        Assert.All(flows, flow =>
        {
            Assert.Equal((0, 0), (flow.Changed, flow.Twice));
            Assert.InRange(flow.WorstLate, 0, WorstReordering);
            Assert.True(flow.Received > flow.Sent / 4, $"{flow.Received} of {flow.Sent} datagrams arrived");
        });
    }

    private static async Task<int> SocketsAsync(WgDevice device) =>
        (await device.Host.RunAsync("ss", "-ulnH", $"sport = {await device.ShowAsync("listen-port")}")).TrimEnd().Split('\n').Length;
}
