using System.Net;
using System.Net.Sockets;
using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Products;

namespace Mesh.EndToEnd.Faults;

/// <summary>Daemons that cannot start, or go on, say why, and leave alone what they found.</summary>
public sealed class StartingTests : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly NetworkLab _lab = new();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact]
    public async Task A_coordinator_names_the_address_that_is_taken()
    {
        var host = await _lab.AddHostAsync("host");
        var coordinator = new CoordinatorProcess(_lab, host, "127.0.0.1");
        using var taken = host.Inside(() =>
        {
            var listener = new TcpListener(IPAddress.Loopback, CoordinatorProcess.Port);
            listener.Start();
            return listener;
        });

        var result = await host.TryAsync(coordinator.Command, deadline: Deadline);

        result.AssertLastError(ExitCodes.CoordinatorAddressUnusable, $"127.0.0.1:{CoordinatorProcess.Port}");
    }

    [Fact]
    public async Task A_second_coordinator_on_a_state_directory_leaves_the_first_alone()
    {
        var host = await _lab.AddHostAsync("host");
        var first = new CoordinatorProcess(_lab, host, "127.0.0.1");
        await first.StartAsync();
        var link = await first.CreateLinkAsync();

        var second = await host.TryAsync([.. first.Command.Select(word => word.Replace(":8443", ":8444"))], deadline: Deadline);

        second.AssertLastError(ExitCodes.CoordinatorStateDirectoryInUse, first.StateDirectory);
        Assert.NotEqual(link, await first.CreateLinkAsync());
        await first.RunAsync("log", "verify");
    }

    [Fact]
    public async Task An_admin_verb_without_a_coordinator_says_so()
    {
        var host = await _lab.AddHostAsync("host");
        var coordinator = new CoordinatorProcess(_lab, host, "127.0.0.1");

        (await coordinator.TryAsync("status")).AssertError(ExitCodes.CoordinatorUnreachable, coordinator.StateDirectory);
    }

    [Fact]
    public async Task A_policy_is_not_changed_without_a_terminal_and_without_yes()
    {
        var host = await _lab.AddHostAsync("host");
        var coordinator = new CoordinatorProcess(_lab, host, "127.0.0.1");
        await coordinator.StartAsync();
        var before = await coordinator.RunAsync("log", "list", "--json");

        (await coordinator.TryAsync("policy", "set", "--allow-all")).AssertError(ExitCodes.Usage, "--yes");

        Assert.Equal(before, await coordinator.RunAsync("log", "list", "--json"));
    }

    [Fact]
    public async Task A_full_disk_refuses_changes_loses_nothing_and_is_got_over()
    {
        var host = await _lab.AddHostAsync("host");
        var coordinator = new CoordinatorProcess(_lab, host, "127.0.0.1");
        Directory.CreateDirectory(coordinator.StateDirectory);
        await NetworkLab.RunAsync("mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", coordinator.StateDirectory);
        try
        {
            await coordinator.StartAsync();
            var filler = Path.Combine(coordinator.StateDirectory, "filler");
            await NetworkLab.RunAsync("sh", "-c", $"cat /dev/zero >'{filler}' 2>/dev/null || true");
            // The log's file may have room of its own left for a few.
            var acknowledged = 0;
            CommandResult refused;
            while ((refused = await coordinator.TryAsync("keys", "create")).ExitCode == ExitCodes.Done)
                Assert.InRange(++acknowledged, 0, 50);
            refused.AssertError(ExitCodes.CoordinatorRefused, "full");

            File.Delete(filler);
            await coordinator.CreateLinkAsync();
            await coordinator.KillAsync();
            await coordinator.StartAsync();
            await coordinator.RunAsync("log", "verify");
            Assert.Equal(acknowledged + 1, (await coordinator.KeyIdsAsync()).Count);
            await coordinator.KillAsync();
        }
        finally
        {
            await NetworkLab.RunAsync("umount", "--lazy", coordinator.StateDirectory);
        }
    }

    [Theory]
    [InlineData("root.key")]
    [InlineData("networks/default/log.db")]
    public async Task A_coordinator_names_the_file_that_is_damaged_and_does_not_touch_it(string file)
    {
        var host = await _lab.AddHostAsync("host");
        var coordinator = new CoordinatorProcess(_lab, host, "127.0.0.1");
        await coordinator.StartAsync();
        await coordinator.CreateLinkAsync();
        Assert.Equal(ExitCodes.Done, await coordinator.StopAsync());
        var path = Path.Combine(coordinator.StateDirectory, file);
        var damaged = await File.ReadAllBytesAsync(path);
        damaged.AsSpan(0, 64).Fill(0x5a);
        await File.WriteAllBytesAsync(path, damaged);

        var result = await host.TryAsync(coordinator.Command, deadline: Deadline);

        result.AssertLastError(ExitCodes.CoordinatorStateDamaged, Path.GetFileName(file));
        Assert.Equal(damaged, await File.ReadAllBytesAsync(path));
    }

    [Fact]
    public async Task A_daemon_names_the_key_that_is_damaged()
    {
        var host = await _lab.AddHostAsync("host");
        var node = new NodeProcess(_lab, host, "node");
        await node.StartAsync();
        Assert.Equal(ExitCodes.Done, await node.StopAsync());
        var key = Assert.Single(Directory.GetFiles(node.StateDirectory, "*machine*"));
        await File.WriteAllTextAsync(key, "no key");

        var result = await host.TryAsync(node.Command, deadline: Deadline);

        result.AssertLastError(ExitCodes.NodeStateUnusable, Path.GetFileName(key), "damaged");
        Assert.Equal("no key", await File.ReadAllTextAsync(key));
    }

    [Fact]
    public async Task A_daemon_whose_disk_is_full_says_so_and_starts_once_there_is_room()
    {
        var host = await _lab.AddHostAsync("host");
        var node = new NodeProcess(_lab, host, "node");
        Directory.CreateDirectory(node.StateDirectory);
        await NetworkLab.RunAsync("mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", node.StateDirectory);
        try
        {
            var filler = Path.Combine(node.StateDirectory, "filler");
            await NetworkLab.RunAsync("sh", "-c", $"cat /dev/zero >'{filler}' 2>/dev/null || true");

            var result = await host.TryAsync(node.Command, deadline: Deadline);

            result.AssertLastError(ExitCodes.NodeStateUnusable, node.StateDirectory, "room");
            File.Delete(filler);
            await node.StartAsync();
            Assert.Equal(ExitCodes.Done, await node.StopAsync());
        }
        finally
        {
            await NetworkLab.RunAsync("umount", "--lazy", node.StateDirectory);
        }
    }

    [Fact]
    public async Task A_daemon_without_the_right_to_make_interfaces_says_so()
    {
        var host = await _lab.AddHostAsync("host");
        var node = new NodeProcess(_lab, host, "node");

        var result = await host.TryAsync(["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", .. node.Command], deadline: Deadline);

        result.AssertLastError(ExitCodes.NodeHasNoTunnelRights, "CAP_NET_ADMIN");
    }

    [Fact]
    public async Task A_second_daemon_on_a_state_directory_leaves_the_first_alone()
    {
        var host = await _lab.AddHostAsync("host");
        var first = new NodeProcess(_lab, host, "node");
        await first.StartAsync();

        var second = await host.TryAsync(
            [.. first.Command.Select(word => word.Replace(".sock", ".other").Replace(NodeProcess.Interface, "mesh1"))], deadline: Deadline);

        second.AssertLastError(ExitCodes.NodeStateDirectoryInUse, first.StateDirectory);
        Assert.Equal(ExitCodes.Done, (await first.TryAsync("status", "--json")).ExitCode);
    }

    [Fact]
    public async Task A_daemon_names_the_port_that_is_taken()
    {
        var host = await _lab.AddHostAsync("host");
        var node = new NodeProcess(_lab, host, "node");
        using var taken = host.Inside(() => new UdpClient(new IPEndPoint(IPAddress.Any, 51999)));

        var result = await host.TryAsync([.. node.Command, "--listen-port", "51999"], deadline: Deadline);

        result.AssertLastError(ExitCodes.NodeInUse, "51999");
    }

    [Fact]
    public async Task A_verb_without_a_daemon_says_so()
    {
        var host = await _lab.AddHostAsync("host");
        var node = new NodeProcess(_lab, host, "node");

        (await node.TryAsync("status")).AssertError(ExitCodes.NodeHasNoDaemon, node.Socket);
    }
}
