using System.Diagnostics;
using System.Globalization;
using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Products;

namespace Mesh.EndToEnd.Demo;

/// <summary>
/// The tour of the product behind scripts/demo: a coordinator and three nodes, each on a subnet of its own, from the first join
/// link to a coordinator that goes away and comes back.
/// </summary>
internal sealed class DemoRun(NetworkLab lab, CheckList checks, TextWriter progress)
{
    private const long PayloadBytes = 100 * Transfer.Mebibyte;
    private const long PayloadWithoutCoordinatorBytes = 10 * Transfer.Mebibyte;
    private const long ControlBudgetBytes = Transfer.Mebibyte;
    private const int PingsEach = 3;

    private static readonly TimeSpan MeetDeadline = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan ResumeDeadline = TimeSpan.FromSeconds(60);
    private static readonly string[] Names = ["node-1", "node-2", "node-3"];

    private CoordinatorProcess _coordinator = null!;
    private NodeProcess[] _nodes = [];
    private NodeStatus[] _joined = [];

    /// <summary>Runs <c>demo [--json] [--keep]</c>.</summary>
    /// <returns>0 if every claim held, 1 otherwise.</returns>
    public static async Task<int> MainAsync(string[] arguments)
    {
        var json = arguments.Contains("--json");
        var progress = json ? Console.Error : Console.Out;
        var checks = new CheckList(progress);
        var lab = new NetworkLab();
        var run = new DemoRun(lab, checks, progress);
        var start = Stopwatch.GetTimestamp();
        try
        {
            await run.RunAsync();
            progress.WriteLine($"\nAll {checks.Checks.Count} claims held, in {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s.");
            return 0;
        }
        catch (CheckFailedException e)
        {
            Console.Error.WriteLine($"\n{e.Message}");
            run.ShowLogs();
            return 1;
        }
        finally
        {
            if (json)
                Console.WriteLine(checks.ToJson());
            if (arguments.Contains("--keep"))
                run.ShowHosts();
            else
                await lab.DisposeAsync();
        }
    }

    private async Task RunAsync()
    {
        progress.WriteLine("A coordinator and three nodes, each on a subnet of its own:");
        var net = await RoutedSubnets.BuildAsync(lab, [.. Names, "coordinator"]);
        _coordinator = new CoordinatorProcess(lab, net.Hosts[^1], RoutedSubnets.Address4(Names.Length));
        _nodes = [.. Names.Select((name, i) => new NodeProcess(lab, net.Hosts[i], name))];

        await JoinAsync();
        await MeetAsync();
        await CarryAsync();
        await LoseCoordinatorAsync();
        await RegainCoordinatorAsync();
    }

    private async Task JoinAsync()
    {
        await checks.TryAsync("the coordinator starts", async () =>
        {
            await _coordinator.StartAsync();
            await _coordinator.RunAsync("policy", "set", "--allow-all", "--yes");
            return null;
        });
        foreach (var node in _nodes)
        {
            await checks.TryAsync($"{node.Name} joins with one link", async () =>
            {
                await node.StartAsync();
                await node.JoinAsync(await _coordinator.CreateLinkAsync());
                return null;
            });
        }
    }

    private async Task MeetAsync()
    {
        await checks.TryAsync("every node learns of the others", async () =>
        {
            foreach (var node in _nodes)
                await node.WaitForPeersAsync(_nodes.Length - 1, MeetDeadline);
            _joined = await Task.WhenAll(_nodes.Select(node => node.StatusAsync()));
            return null;
        });
        await checks.TryAsync("every pair finds its path", async () =>
        {
            foreach (var (from, to) in Pairs())
                await Wait.UntilAsync($"{from} reaches {to}", MeetDeadline, () => PingsAsync(from, to, v6: false, count: 1));
            return null;
        });
        foreach (var v6 in new[] { false, true })
            await checks.TryAsync($"every pair answers pings over IPv{(v6 ? 6 : 4)}", () => PingAllAsync(v6));
        await checks.TryAsync("every path is direct", ShowPathsAsync);
    }

    private async Task CarryAsync()
    {
        var onCoordinator = await TrafficWatch.StartAsync(_coordinator.Host);
        var onSender = await TrafficWatch.StartAsync(_nodes[0].Host);
        var before = await onCoordinator.ReadAsync();
        await checks.TryAsync("100 MiB over TCP arrive intact", () => SendAsync(0, 1, PayloadBytes));
        var (passed, sent) = (await onCoordinator.ReadAsync() - before, await onSender.ReadAsync());

        await checks.TryAsync("the coordinator carried less than 1 MiB meanwhile", () =>
        {
            Demand(passed.Bytes < ControlBudgetBytes, $"{passed.Bytes} bytes crossed its interfaces");
            return Remark($"{passed.Bytes} bytes");
        });
        await checks.TryAsync("and saw no WireGuard message", () =>
        {
            Demand(passed.WireGuardMessages == 0, $"it saw {passed.WireGuardMessages}");
            Demand(sent.WireGuardMessages > 0, "neither did the sender's interface, so the count is worth nothing");
            return Remark($"the sender {sent.WireGuardMessages}");
        });
    }

    private async Task LoseCoordinatorAsync()
    {
        await checks.TryAsync("the coordinator stops", async () =>
        {
            var code = await _coordinator.StopAsync();
            Demand(code == 0, $"its exit code is {code}. {Daemon.Tail(_coordinator.LogFile)}");
            foreach (var node in _nodes)
            {
                await Wait.UntilAsync(
                    $"{node.Name} notices", MeetDeadline, async () => !(await node.StatusAsync()).Coordinator.Connected);
            }

            return null;
        });
        foreach (var v6 in new[] { false, true })
            await checks.TryAsync($"without it every pair goes on over IPv{(v6 ? 6 : 4)}", () => PingAllAsync(v6));
        await checks.TryAsync("and 10 MiB arrive intact", () => SendAsync(2, 0, PayloadWithoutCoordinatorBytes));
    }

    private async Task RegainCoordinatorAsync()
    {
        await checks.TryAsync("the coordinator starts again", async () =>
        {
            await _coordinator.StartAsync();
            return null;
        });
        await checks.TryAsync("every node resumes as who it was", async () =>
        {
            foreach (var (node, before) in _nodes.Zip(_joined))
            {
                var now = await node.WaitForPeersAsync(_nodes.Length - 1, ResumeDeadline);
                Demand(now.Self.NodeKey == before.Self.NodeKey, $"{node.Name} has another key");
                Demand(now.Self.Addresses!.SequenceEqual(before.Self.Addresses!), $"{node.Name} has other addresses");
                Demand(now.Coordinator.Position >= before.Coordinator.Position, $"{node.Name} went back in the log");
            }

            return null;
        });
        await checks.TryAsync("every pair still answers", () => PingAllAsync(v6: false));
        await checks.TryAsync("the coordinator's log verifies", async () =>
        {
            await _coordinator.RunAsync("log", "verify");
            return null;
        });
    }

    private IEnumerable<(int From, int To)> Pairs() =>
        from a in Enumerable.Range(0, _nodes.Length)
        from b in Enumerable.Range(0, _nodes.Length)
        where a != b
        select (a, b);

    private Task<bool> PingsAsync(int from, int to, bool v6, int count) =>
        _nodes[from].Host.PingsAsync(_joined[to].Self.Address(v6), count);

    private async Task<string?> PingAllAsync(bool v6)
    {
        var answers = await Task.WhenAll(Pairs().Select(async pair => (pair, Ok: await PingsAsync(pair.From, pair.To, v6, PingsEach))));
        var silent = answers.Where(answer => !answer.Ok).Select(answer => $"{Names[answer.pair.From]} to {Names[answer.pair.To]}").ToList();
        Demand(silent.Count == 0, $"no answer, or not all, from {string.Join(", ", silent)}");
        return $"{answers.Length * PingsEach} pings";
    }

    private async Task<string?> SendAsync(int from, int to, long bytes)
    {
        var result = await Transfer.RunAsync(_nodes[from].Host, _nodes[to].Host, _joined[to].Self.Address(v6: false), bytes);
        Demand(result.BytesReceived == bytes, $"{result.BytesReceived} bytes arrived of {bytes}");
        Demand(result.Intact, "the checksums differ");
        var rate = bytes * 8 / result.Took.TotalSeconds / 1e6;
        return $"{rate:0} Mbit/s, SHA-256 {Convert.ToHexStringLower(result.ReceivedSum)[..16]}…";
    }

    private async Task<string?> ShowPathsAsync()
    {
        var rows = new List<string>();
        foreach (var (from, node) in _nodes.Index())
        {
            var status = await node.StatusAsync();
            foreach (var peer in status.Peers.OrderBy(peer => peer.Name, StringComparer.Ordinal))
            {
                Demand(peer.Path == "direct", $"{node.Name} says that its path to {peer.Name} is {peer.Path} ({peer.Reason})");
                var to = Array.IndexOf(Names, peer.Name);
                var times = await Task.WhenAll(RoundTripAsync(from, to, v6: false), RoundTripAsync(from, to, v6: true));
                rows.Add($"          {node.Name,-8} {peer.Name,-8} {peer.Path,-8} {peer.Endpoint,-26} {times[0],8:0.00} {times[1],8:0.00}");
            }
        }

        progress.WriteLine($"\n          {"from",-8} {"to",-8} {"path",-8} {"endpoint",-26} {"IPv4 ms",8} {"IPv6 ms",8}");
        rows.ForEach(progress.WriteLine);
        progress.WriteLine();
        return null;
    }

    /// <summary>The shortest of a few round trips, in milliseconds.</summary>
    private async Task<double> RoundTripAsync(int from, int to, bool v6)
    {
        var output = await _nodes[from].Host.RunAsync("ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "2", _joined[to].Self.Address(v6));
        var shortest = output.Split("= ")[^1].Split('/')[0]; // rtt min/avg/max/mdev = 0.314/...
        return double.Parse(shortest, CultureInfo.InvariantCulture);
    }

    private void ShowLogs()
    {
        foreach (var log in new[] { _coordinator.LogFile }.Concat(_nodes.Select(node => node.LogFile)))
            Console.Error.WriteLine(Daemon.Tail(log));
    }

    /// <summary>The names that scripts/demo --keep needs to show how to go on: one line a host, of namespace, name and socket.</summary>
    private void ShowHosts()
    {
        var lines = _nodes.Select(node => $"{node.Name} {node.Host.Name} {node.Socket}")
            .Append($"coordinator {_coordinator.Host.Name} {_coordinator.StateDirectory}");
        File.WriteAllLines(Path.Combine(Path.GetTempPath(), "hosts"), lines);
    }

    private static Task<string?> Remark(string text) => Task.FromResult<string?>(text);

    private static void Demand(bool held, string otherwise)
    {
        if (!held)
            throw new InvalidOperationException(otherwise);
    }
}
