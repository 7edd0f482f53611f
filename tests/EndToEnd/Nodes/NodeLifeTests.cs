using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Products;

namespace Mesh.EndToEnd.Nodes;

/// <summary>A node's daemon over its whole life, beside one peer and a coordinator that is not always there.</summary>
public sealed class NodeLifeTests : IAsyncLifetime
{
    private const int CoordinatorHost = 2;
    private static readonly TimeSpan MeetDeadline = TimeSpan.FromSeconds(45);

    private readonly NetworkLab _lab = new();
    private CoordinatorProcess _coordinator = null!;
    private NodeProcess _node = null!;
    private NodeProcess _peer = null!;

    public async ValueTask InitializeAsync()
    {
        var net = await RoutedSubnets.BuildAsync(_lab, "node", "peer", "coordinator");
        _coordinator = new CoordinatorProcess(_lab, net.Hosts[CoordinatorHost], RoutedSubnets.Address4(CoordinatorHost));
        _node = new NodeProcess(_lab, net.Hosts[0], "node");
        _peer = new NodeProcess(_lab, net.Hosts[1], "peer");
        await _coordinator.StartAsync();
        foreach (var node in new[] { _node, _peer })
        {
            await node.StartAsync();
            await node.JoinAsync(await _coordinator.CreateLinkAsync());
        }
    }

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact]
    public async Task Nobody_reaches_anybody_until_a_policy_allows_it_and_no_longer_than_it_does()
    {
        var (node, peer) = (await _node.WaitForPeersAsync(0, MeetDeadline), await _peer.WaitForPeersAsync(0, MeetDeadline));
        Assert.Empty(node.Peers);
        Assert.False(await _node.Host.PingsAsync(peer.Self.Address(v6: false)));

        await AllowAllAsync();
        Assert.True(await _peer.Host.PingsAsync(node.Self.Address(v6: true)));

        await _coordinator.RunAsync("policy", "set", "--deny-all", "--yes");
        await _node.WaitForPeersAsync(0, MeetDeadline);
        await _peer.WaitForPeersAsync(0, MeetDeadline);
        Assert.False(await _node.Host.PingsAsync(peer.Self.Address(v6: false)));
    }

    [Fact]
    public async Task A_daemon_that_was_killed_comes_back_with_its_last_map_while_the_coordinator_is_away()
    {
        var (node, peer) = await AllowAllAsync();
        Assert.True(await _node.Host.PingsAsync(peer.Self.Address(v6: false)));
        // A map is on disk a second after it came; a kill before that costs the change, which the coordinator would bring again.
        byte[] peerKey = Convert.FromBase64String(peer.Self.NodeKey!);
        string map = Path.Combine(_node.StateDirectory, "map.bin");
        await Wait.UntilAsync("the map with the peer is on disk", MeetDeadline, () => File.Exists(map) && File.ReadAllBytes(map).AsSpan().IndexOf(peerKey) >= 0);
        await _coordinator.KillAsync();
        await _node.KillAsync();

        await _node.StartAsync();

        await Wait.UntilAsync("the peer answers again", MeetDeadline, () => _node.Host.PingsAsync(peer.Self.Address(v6: false)));
        Assert.True(await _peer.Host.PingsAsync(node.Self.Address(v6: true)));
        var now = await _node.StatusAsync();
        Assert.False(now.Coordinator.Connected);
        Assert.Equal(node.Self.NodeKey, now.Self.NodeKey);
        Assert.Equal(node.Self.Addresses, now.Self.Addresses);
    }

    [Fact]
    public async Task A_daemon_that_ends_leaves_the_host_as_it_was()
    {
        await AllowAllAsync();
        Assert.Contains(NodeProcess.Interface, await TracesAsync(), StringComparison.Ordinal);

        Assert.Equal(ExitCodes.Done, await _node.StopAsync());

        Assert.DoesNotContain(NodeProcess.Interface, await TracesAsync(), StringComparison.Ordinal);
        Assert.False(File.Exists(_node.Socket));
        var rights = File.GetUnixFileMode(_node.StateDirectory);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, rights);
    }

    [Fact]
    public async Task Down_takes_the_tunnel_away_and_up_brings_it_back()
    {
        var (_, peer) = await AllowAllAsync();

        (await _node.TryAsync("down")).Checked();
        Assert.False(await _node.Host.PingsAsync(peer.Self.Address(v6: false)));
        Assert.DoesNotContain("100.64.", await TracesAsync(), StringComparison.Ordinal);

        (await _node.TryAsync("up")).Checked();
        await Wait.UntilAsync("the peer answers again", MeetDeadline, () => _node.Host.PingsAsync(peer.Self.Address(v6: false)));
    }

    [Fact]
    public async Task A_node_that_logs_out_is_gone_for_its_peers_and_its_key_is_good_for_nothing()
    {
        var (node, _) = await AllowAllAsync();

        (await _node.TryAsync("logout")).Checked();

        await _peer.WaitForPeersAsync(0, MeetDeadline);
        Assert.Empty((await _peer.StatusAsync()).Peers);
        Assert.False(await _peer.Host.PingsAsync(node.Self.Address(v6: false)));
        (await _node.TryAsync("up")).AssertError(ExitCodes.NodeNotUp, "link");
    }

    [Fact]
    public async Task A_running_flow_loses_no_packet_while_the_key_changes_and_the_coordinator_is_killed_amid_it()
    {
        var (node, peer) = await AllowAllAsync();
        // Some ten seconds of packets, a hundred a second.
        var flow = _peer.Host.TryAsync(["ping", "-q", "-n", "-i", "0.01", "-c", "1000", node.Self.Address(v6: false)], deadline: MeetDeadline);
        (await _node.TryAsync("rotate")).Checked();
        var rotated = await _node.StatusAsync();
        Assert.NotEqual(node.Self.NodeKey, rotated.Self.NodeKey);

        var second = _peer.TryAsync("rotate");
        await _coordinator.KillAsync();
        await _coordinator.StartAsync();
        await second; // Says that the coordinator went away, or was done before.

        await Wait.UntilAsync("the peer's key has changed", MeetDeadline, async () => (await _peer.StatusAsync()).Self.NodeKey != peer.Self.NodeKey);
        Assert.Contains("1000 received, 0% packet loss", (await flow).Checked().Output, StringComparison.Ordinal);
        // Handshakes go out under the new keys alone now.
        await _node.KillAsync();
        await _node.StartAsync();
        await Wait.UntilAsync("the peer answers again", MeetDeadline, () => _node.Host.PingsAsync(peer.Self.Address(v6: false)));
        Assert.Equal(rotated.Self.NodeKey, (await _node.StatusAsync()).Self.NodeKey);
    }

    [Fact]
    public async Task A_machine_without_a_key_waits_for_approval_and_one_that_expired_comes_back_as_itself()
    {
        await AllowAllAsync();
        await _coordinator.RunAsync("users", "create", "ann");
        (await _node.TryAsync("logout")).Checked();
        string link = await _coordinator.CreateLinkAsync();
        var joining = _node.TryJoinAsync(link[..link.IndexOf('#', StringComparison.Ordinal)]);
        string code = "";
        await Wait.UntilAsync("the machine shows its code", MeetDeadline, async () =>
            (code = System.Text.RegularExpressions.Regex.Match((await _node.TryAsync("status")).Output, "Code: ([0-9A-Z-]{9})").Groups[1].Value).Length > 0);
        Assert.Contains(code, await _coordinator.RunAsync("nodes", "list"), StringComparison.Ordinal);
        await _coordinator.RunAsync("nodes", "approve", code, "--user", "ann");
        (await joining).Checked();
        var before = await _node.WaitForPeersAsync(1, MeetDeadline);

        await _coordinator.RunAsync("nodes", "expire", "node");
        await _peer.WaitForPeersAsync(0, MeetDeadline);
        await Wait.UntilAsync("the node says that it expired", MeetDeadline, async () =>
            (await _node.TryAsync("status")).Output.Contains("has ended; it keeps its name and addresses", StringComparison.Ordinal));
        await _node.JoinAsync(await _coordinator.CreateLinkAsync("--user", "ann"));
        var after = await _node.WaitForPeersAsync(1, MeetDeadline);
        Assert.Equal((before.Self.Name, string.Join(' ', before.Self.Addresses!)), (after.Self.Name, string.Join(' ', after.Self.Addresses!)));
        Assert.Matches("machines +node", await _coordinator.RunAsync("users", "show", "ann"));
    }

    [Fact]
    public async Task The_two_verbs_that_show_a_peer_agree_with_the_tunnel()
    {
        var (_, peer) = await AllowAllAsync();

        var ping = (await _node.TryAsync("ping", "peer", "--json", "-c", "3")).Checked();
        var replies = ping.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, replies.Length);
        Assert.All(replies, reply => Assert.Contains("\"direct\"", reply, StringComparison.Ordinal));
        Assert.Equal("direct", Assert.Single((await _node.StatusAsync()).Peers).Path);
        (await _node.TryAsync("ping", "nobody")).AssertError(ExitCodes.NodeUnknownPeer, "nobody");
        Assert.Contains(peer.Self.Address(v6: false), (await _peer.TryAsync("ip")).Checked().Output, StringComparison.Ordinal);
    }

    private async Task<(NodeStatus Node, NodeStatus Peer)> AllowAllAsync()
    {
        await _coordinator.RunAsync("policy", "set", "--allow-all", "--yes");
        var both = (await _node.WaitForPeersAsync(1, MeetDeadline), await _peer.WaitForPeersAsync(1, MeetDeadline));
        await Wait.UntilAsync(
            "the node reaches its peer", MeetDeadline, () => _node.Host.PingsAsync(both.Item2.Self.Address(v6: false)));
        return both;
    }

    /// <summary>All that a daemon could leave in a host's network.</summary>
    private async Task<string> TracesAsync() => string.Concat(
        await _node.Host.RunAsync("ip", "-brief", "address"),
        await _node.Host.RunAsync("ip", "route", "show", "table", "all"),
        await _node.Host.RunAsync("ip", "-6", "route", "show", "table", "all"),
        await _node.Host.RunAsync("ip", "rule"));
}
