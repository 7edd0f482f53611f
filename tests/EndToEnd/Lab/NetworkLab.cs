namespace Mesh.EndToEnd.Lab;

/// <summary>
/// Hosts and links made of network namespaces, with the processes that run in them and a directory for their files.
/// Everything is gone after <see cref="DisposeAsync"/>; what a killed test run leaves, goes with the sandbox around it.
/// </summary>
internal sealed class NetworkLab : IAsyncDisposable
{
    private static readonly TimeSpan CommandDeadline = TimeSpan.FromSeconds(30);
    private static int Labs;

    private readonly string _prefix = $"lab{Environment.ProcessId}-{Interlocked.Increment(ref Labs)}";
    private readonly List<NetworkNamespace> _namespaces = [];
    private readonly List<LabProcess> _processes = [];

    /// <summary>A directory for state, sockets and keys of the lab's processes. Short, because socket paths are bounded.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("lab").FullName;

    /// <summary>The sandbox's own namespace, which the tests themselves run in, as a host: what listens there is reached by 127.0.0.1.</summary>
    public NetworkNamespace Here => new(this, null);

    /// <summary>Adds a host. Its name in the system is unique: other labs may run at the same time.</summary>
    public async Task<NetworkNamespace> AddHostAsync(string name)
    {
        var host = new NetworkNamespace(this, $"{_prefix}-{name}");
        await RunAsync("ip", "netns", "add", host.Name);
        _namespaces.Add(host);
        await host.IpAsync("link set lo up");
        // No second of silence after an interface comes up: nobody else can hold its IPv6 addresses.
        await host.RunAsync("sysctl", "-q", "-w", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0");
        return host;
    }

    /// <summary>Adds a host that forwards IPv4 and IPv6 between its links.</summary>
    public async Task<NetworkNamespace> AddRouterAsync(string name)
    {
        var router = await AddHostAsync(name);
        await router.RunAsync("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
        return router;
    }

    /// <summary>Joins two hosts by a cable, whose ends are up and carry the given addresses (with prefix lengths).</summary>
    public static async Task ConnectAsync(
        (NetworkNamespace Host, string Interface, string[] Addresses) left,
        (NetworkNamespace Host, string Interface, string[] Addresses) right)
    {
        await RunAsync(
            "ip", "link", "add", left.Interface, "netns", left.Host.Name,
            "type", "veth", "peer", "name", right.Interface, "netns", right.Host.Name);
        foreach (var (host, name, addresses) in new[] { left, right })
        {
            foreach (var address in addresses)
                await host.IpAsync($"addr add {address} dev {name}");
            await host.IpAsync($"link set {name} up");
        }
    }

    /// <summary>Hands a process to the lab, which kills it at its own end.</summary>
    public LabProcess Own(LabProcess process)
    {
        lock (_processes)
            _processes.Add(process);
        return process;
    }

    /// <summary>Runs a command outside of the lab's hosts; it has to succeed.</summary>
    public static async Task<string> RunAsync(params string[] command)
    {
        await using var process = LabProcess.Start(command);
        return (await process.WaitForExitAsync(CommandDeadline)).Checked().Output;
    }

    public async ValueTask DisposeAsync()
    {
        var failures = new List<Exception>();
        async Task AttemptAsync(Func<Task> step)
        {
            try
            {
                await step();
            }
            catch (Exception e)
            {
                failures.Add(e);
            }
        }

        foreach (var process in _processes)
            await AttemptAsync(() => process.DisposeAsync().AsTask());
        foreach (var host in _namespaces)
            await AttemptAsync(() => RunAsync("ip", "netns", "del", host.Name));
        await AttemptAsync(() =>
        {
            Directory.Delete(Folder, recursive: true);
            return Task.CompletedTask;
        });
        if (failures.Count > 0)
            throw new AggregateException("The lab could not be cleaned up", failures);
    }
}
