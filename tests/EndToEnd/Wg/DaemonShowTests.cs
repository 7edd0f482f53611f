using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Products;

namespace Mesh.EndToEnd.Wg;

public class DaemonShowTests
{
    [Fact]
    public async Task Wg_shows_the_daemons_tunnel_and_may_not_set_it()
    {
        await using var lab = new NetworkLab();
        var net = await RoutedSubnets.BuildAsync(lab, "node", "coordinator");
        var coordinator = new CoordinatorProcess(lab, net.Hosts[1], RoutedSubnets.Address4(1));
        var node = new NodeProcess(lab, net.Hosts[0], "node");
        await coordinator.StartAsync();
        await node.StartAsync();
        await node.JoinAsync(await coordinator.CreateLinkAsync());

        string shown = await net.Hosts[0].RunAsync("wg", "show", NodeProcess.Interface);
        Assert.Contains($"interface: {NodeProcess.Interface}", shown, StringComparison.Ordinal);
        Assert.Contains("listening port: ", shown, StringComparison.Ordinal);
        var set = await net.Hosts[0].TryAsync(["wg", "set", NodeProcess.Interface, "fwmark", "7"]);
        Assert.NotEqual(0, set.ExitCode);
        Assert.Contains("Operation not permitted", set.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("fwmark", await net.Hosts[0].RunAsync("wg", "show", NodeProcess.Interface), StringComparison.Ordinal);
    }
}
