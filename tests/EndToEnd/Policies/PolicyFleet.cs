using System.Net;
using System.Text.Json;
using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Products;
using Mesh.Node.Filter;

namespace Mesh.EndToEnd.Policies;

/// <summary>
/// Two people's machines and three tagged ones, each on a subnet of its own, and their coordinator. Every machine answers to
/// TCP and UDP on a few ports, and to pings.
/// </summary>
internal sealed class PolicyFleet : IAsyncDisposable
{
    private static readonly int[] TcpPorts = [22, 80, 443, 5432];
    private static readonly int[] UdpPorts = [53, 5432];
    private static readonly (string Name, string Option, string Whose)[] Machines =
    [
        ("alice-laptop", "--user", "alice"), ("alice-phone", "--user", "alice"), ("bob-laptop", "--user", "bob"), ("bob-phone", "--user", "bob"),
        ("web-1", "--tag", "tag:web"), ("web-2", "--tag", "tag:web"), ("db-1", "--tag", "tag:db"),
    ];
    private static readonly TimeSpan MeetDeadline = TimeSpan.FromSeconds(45);

    /// <summary>How long silence has to last, once all is answered that should be: a lost opening segment goes out again after a second.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan AnswerDeadline = TimeSpan.FromSeconds(8);

    private readonly NetworkLab _lab = new();
    private readonly List<EchoHost> _echoes = [];
    private readonly Dictionary<string, string[]> _addresses = [];
    private Dictionary<string, NodeProcess> _nodes = [];
    private CoordinatorProcess _coordinator = null!;

    public CoordinatorProcess Coordinator => _coordinator;

    public IReadOnlyDictionary<string, NodeProcess> Nodes => _nodes;

    /// <summary>Every pair in both directions, by both versions of IP, on all ports that are listened on, and pings.</summary>
    public IReadOnlyList<Probe> Probes { get; private set; } = [];

    /// <param name="policy">In force when the machines join: declares their tags.</param>
    public async Task StartAsync(string policy)
    {
        var net = await RoutedSubnets.BuildAsync(_lab, [.. Machines.Select(machine => machine.Name), "coordinator"]);
        _coordinator = new CoordinatorProcess(_lab, net.Hosts[^1], RoutedSubnets.Address4(Machines.Length));
        _nodes = Machines.Zip(net.Hosts).ToDictionary(pair => pair.First.Name, pair => new NodeProcess(_lab, pair.Second, pair.First.Name) { Queues = 2 });
        await Task.WhenAll(_nodes.Values.Select(node => node.StartAsync()).Append(_coordinator.StartAsync()));
        foreach (string user in Machines.Where(machine => machine.Option == "--user").Select(machine => machine.Whose).Distinct())
            await _coordinator.RunAsync("users", "create", user, "--email", $"{user}@example.com");
        await SetPolicyAsync(policy);
        foreach (var machine in Machines) await _nodes[machine.Name].JoinAsync(await _coordinator.CreateLinkAsync(machine.Option, machine.Whose));
        foreach (var node in _nodes.Values)
        {
            _addresses[node.Name] = [.. (await node.StatusAsync()).Self.Addresses!.Select(address => address.Split('/')[0])];
            _echoes.Add(new EchoHost(node.Host, TcpPorts, UdpPorts));
        }
        Probes = [.. _nodes.Keys.SelectMany(from => _nodes.Keys.Where(to => to != from).SelectMany(to => ProbesOf(from, to)))];
    }

    public string Address(string machine, bool v6 = false) => _addresses[machine].Single(address => address.Contains(':') == v6);

    public Task SetPolicyAsync(string policy) => _coordinator.RunAsync("policy", "set", WriteFile("policy.hujson", policy), "--yes");

    /// <summary>What <c>policy eval</c> makes of a policy for the machines as the coordinator lists them.</summary>
    public async Task<PolicyVerdicts> EvaluateAsync(string policy)
    {
        using var users = JsonDocument.Parse(await _coordinator.RunAsync("users", "list", "--json"));
        using var nodes = JsonDocument.Parse(await _coordinator.RunAsync("nodes", "list", "--json"));
        string fleet = JsonSerializer.Serialize(new
        {
            users = users.RootElement.GetProperty("items"),
            nodes = nodes.RootElement.GetProperty("items").EnumerateArray().ToDictionary(node => node.GetProperty("name").GetString()!, node => new
            {
                user = node.TryGetProperty("user", out var user) ? user.GetString() : null,
                tags = node.GetProperty("tags"),
                ipv4 = Address(node.GetProperty("name").GetString()!),
                ipv6 = Address(node.GetProperty("name").GetString()!, v6: true),
            }),
        });
        return PolicyVerdicts.Parse(await NetworkLab.RunAsync(
            Repository.Program("mesh-coordinator"), "policy", "eval",
            "--policy", WriteFile("evaluated.hujson", policy), "--nodes", WriteFile("nodes.json", fleet), "--json"));
    }

    /// <summary>Asks every question at once, and returns those that were answered.</summary>
    /// <param name="expected">Whether a question should be: these are waited for longer.</param>
    public async Task<HashSet<Probe>> AskAsync(Func<Probe, bool> expected)
    {
        using var over = new CancellationTokenSource(AnswerDeadline);
        var asked = Probes.Select(probe => (Probe: probe, Answered: probe.AskAsync(_nodes[probe.From].Host, over.Token))).ToList();
        await Task.WhenAll(asked.Where(one => expected(one.Probe)).Select(one => one.Answered));
        over.CancelAfter(Silence);
        await Task.WhenAll(asked.Select(one => one.Answered));
        return [.. asked.Where(one => one.Answered.Result).Select(one => one.Probe)];
    }

    public Task<EchoFlow> OpenFlowAsync(string from, string to, int port) =>
        EchoFlow.OpenAsync(_nodes[from].Host, Address(to), port, $"{from} to {to}:{port}");

    /// <summary>Stops the coordinator, and waits until every machine knows.</summary>
    public async Task StopCoordinatorAsync()
    {
        Assert.Equal(ExitCodes.Done, await _coordinator.StopAsync());
        foreach (var node in _nodes.Values)
            await Wait.UntilAsync($"{node.Name} notices", MeetDeadline, async () => !(await node.StatusAsync()).Coordinator.Connected);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var echo in _echoes) echo.Dispose();
        await _lab.DisposeAsync();
    }

    private IEnumerable<Probe> ProbesOf(string from, string to)
    {
        foreach (bool v6 in (bool[])[false, true])
        {
            IPAddress source = IPAddress.Parse(Address(from, v6)), target = IPAddress.Parse(Address(to, v6));
            foreach (int port in TcpPorts) yield return new Probe(from, to, source, target, IpProtocol.Tcp, port);
            foreach (int port in UdpPorts) yield return new Probe(from, to, source, target, IpProtocol.Udp, port);
            yield return new Probe(from, to, source, target, v6 ? IpProtocol.IcmpV6 : IpProtocol.Icmp, 0);
        }
    }

    private string WriteFile(string name, string text)
    {
        string path = Path.Combine(_lab.Folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
