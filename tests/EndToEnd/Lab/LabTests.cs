using System.Net;
using System.Net.Sockets;

namespace Mesh.EndToEnd.Lab;

/// <summary>The lab is what every claim here rests on, so it is tested first.</summary>
public class LabTests
{
    [Fact]
    public async Task Hosts_on_routed_subnets_reach_each_other_over_both_families()
    {
        await using var lab = new NetworkLab();
        var net = await RoutedSubnets.BuildAsync(lab, "a", "b");

        Assert.True(await net.Hosts[0].PingsAsync(RoutedSubnets.Address4(1)));
        Assert.True(await net.Hosts[1].PingsAsync(RoutedSubnets.Address6(0)));
        Assert.False(await net.Hosts[0].PingsAsync("10.81.9.2", secondsToWait: 1));
    }

    [Fact]
    public async Task A_transfer_arrives_whole_and_the_watch_counts_it()
    {
        await using var lab = new NetworkLab();
        var net = await RoutedSubnets.BuildAsync(lab, "a", "b", "bystander");
        var watch = await TrafficWatch.StartAsync(net.Hosts[1]);
        var idle = await TrafficWatch.StartAsync(net.Hosts[2]);
        var (before, idleBefore) = (await watch.ReadAsync(), await idle.ReadAsync());

        var result = await Transfer.RunAsync(net.Hosts[0], net.Hosts[1], RoutedSubnets.Address4(1), 3 * Transfer.Mebibyte + 17);

        Assert.True(result.Intact);
        Assert.Equal(3 * Transfer.Mebibyte + 17, result.BytesReceived);
        var (seen, idleSeen) = (await watch.ReadAsync() - before, await idle.ReadAsync() - idleBefore);
        Assert.InRange(seen.Bytes, 3 * Transfer.Mebibyte, 4 * Transfer.Mebibyte);
        Assert.Equal(0, seen.WireGuardMessages);
        Assert.InRange(idleSeen.Bytes, 0, 10_000);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    [InlineData(0, false)]
    [InlineData(5, false)]
    public async Task The_watch_knows_a_WireGuard_message_by_its_head(byte type, bool known)
    {
        await using var lab = new NetworkLab();
        var net = await RoutedSubnets.BuildAsync(lab, "a", "b");
        var (sender, receiver) = (await TrafficWatch.StartAsync(net.Hosts[0]), await TrafficWatch.StartAsync(net.Hosts[1]));
        using var socket = net.Hosts[0].Inside(() => new UdpClient(AddressFamily.InterNetwork));
        using var listener = net.Hosts[1].Inside(() => new UdpClient(new IPEndPoint(IPAddress.Any, 9)));

        await socket.SendAsync(new byte[] { type, 0, 0, 0, 1, 2, 3, 4 }, new IPEndPoint(IPAddress.Parse(RoutedSubnets.Address4(1)), 9));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await listener.ReceiveAsync(limit.Token);

        Assert.Equal(known ? 1 : 0, (await sender.ReadAsync()).WireGuardMessages);
        Assert.Equal(known ? 1 : 0, (await receiver.ReadAsync()).WireGuardMessages);
    }

    [Fact]
    public async Task Nothing_of_a_lab_is_left_behind()
    {
        string folder;
        int process;
        await using (var lab = new NetworkLab())
        {
            var host = await lab.AddHostAsync("a");
            folder = lab.Folder;
            process = host.Start(["tail", "-f", "/dev/null"]).Id;
            Assert.True(Directory.Exists($"/proc/{process}"));
            Assert.True(File.Exists($"/run/netns/{host.Name}"));
        }

        Assert.False(Directory.Exists($"/proc/{process}"));
        Assert.False(Directory.Exists(folder));
        Assert.DoesNotContain(Directory.GetFiles("/run/netns"), path => path.Contains($"lab{Environment.ProcessId}-", StringComparison.Ordinal));
    }
}
