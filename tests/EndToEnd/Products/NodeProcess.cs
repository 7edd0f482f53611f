using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Products;

/// <summary>A <c>mesh daemon</c> on a host of the lab, driven through its command line alone.</summary>
internal sealed class NodeProcess
{
    public const string Interface = "mesh0";

    private static readonly TimeSpan JoinDeadline = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(20);

    private LabProcess? _process;

    /// <param name="lab">Holds the state directory, the socket and the log.</param>
    /// <param name="host">Where it runs.</param>
    /// <param name="name">The host name that it joins with; also the name of its files.</param>
    public NodeProcess(NetworkLab lab, NetworkNamespace host, string name)
    {
        Host = host;
        Name = name;
        StateDirectory = Path.Combine(lab.Folder, name);
        Socket = Path.Combine(lab.Folder, $"{name}.sock");
        LogFile = Path.Combine(lab.Folder, $"{name}.log");
    }

    public NetworkNamespace Host { get; }

    public string Name { get; }

    public string StateDirectory { get; }

    public string Socket { get; }

    public string LogFile { get; }

    public int ProcessId => _process!.Id;

    /// <summary>Null leaves it to the daemon.</summary>
    public int? Queues { get; init; }

    /// <summary>The command that starts it.</summary>
    public string[] Command =>
    [
        Repository.Program("mesh"), "daemon", "--state-dir", StateDirectory, "--socket", Socket, "--tun", Interface,
        .. Queues is { } queues ? (string[])["--queues", $"{queues}"] : [],
    ];

    /// <summary>Starts it, and waits until it listens on its socket.</summary>
    public async Task StartAsync()
    {
        _process = Host.Start(Daemon.LoggingTo(LogFile, Command));
        await Daemon.WaitForSocketAsync(_process, Socket, LogFile);
    }

    /// <summary>Joins with a link, which goes in by standard input.</summary>
    public async Task JoinAsync(string link) => (await TryJoinAsync(link)).Checked();

    /// <inheritdoc cref="JoinAsync"/>
    public Task<CommandResult> TryJoinAsync(string link) =>
        Host.TryAsync(Verb("up", "-", "--hostname", Name), input: link + "\n", deadline: JoinDeadline);

    public Task<CommandResult> TryAsync(params string[] verb) => Host.TryAsync(Verb(verb));

    public async Task<NodeStatus> StatusAsync() => NodeStatus.Parse((await TryAsync("status", "--json")).Checked().Output);

    /// <summary>Waits until the node is connected and sees so many others online, and returns what it says then.</summary>
    public async Task<NodeStatus> WaitForPeersAsync(int others, TimeSpan deadline)
    {
        NodeStatus? status = null;
        await Wait.UntilAsync(
            $"{Name} is connected and sees {others} others online",
            deadline,
            async () =>
            {
                status = await StatusAsync();
                return status.Coordinator.Connected && status.Peers.Count(peer => peer.Online) == others;
            },
            () => $"It says: {status}. {Daemon.Tail(LogFile)}");
        return status!;
    }

    /// <summary>kill -9.</summary>
    public Task KillAsync() => _process!.KillAsync();

    /// <summary>Ends it in good order; returns its exit code.</summary>
    public async Task<int> StopAsync() => (await _process!.TerminateAsync(StopDeadline)).ExitCode;

    private string[] Verb(params string[] verb) => [Repository.Program("mesh"), .. verb, "--socket", Socket];
}
