using System.Text.Json;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Products;

/// <summary>A <c>mesh-coordinator</c> on a host of the lab, driven through its command line alone.</summary>
internal sealed class CoordinatorProcess
{
    public const int Port = 8443;

    private static readonly TimeSpan StopDeadline = TimeSpan.FromSeconds(20);

    private readonly string _address;
    private LabProcess? _process;

    /// <param name="lab">Holds the state directory and the log.</param>
    /// <param name="host">Where it runs.</param>
    /// <param name="address">The host's address that it listens on, and that join links name.</param>
    /// <param name="name">Of its files.</param>
    public CoordinatorProcess(NetworkLab lab, NetworkNamespace host, string address, string name = "coordinator")
    {
        Host = host;
        _address = address;
        StateDirectory = Path.Combine(lab.Folder, name);
        LogFile = Path.Combine(lab.Folder, $"{name}.log");
    }

    public NetworkNamespace Host { get; }

    public string StateDirectory { get; }

    /// <summary>All that it printed, over all its lives.</summary>
    public string LogFile { get; }

    public int ProcessId => _process!.Id;

    /// <summary>The command that starts it.</summary>
    public string[] Command =>
    [
        Repository.Program("mesh-coordinator"), "serve", "--state-dir", StateDirectory,
        "--listen", $"{_address}:{Port}", "--public-host", $"{_address}:{Port}",
    ];

    /// <summary>Starts it, and waits until it listens for its administrator.</summary>
    public async Task StartAsync()
    {
        _process = Host.Start(Daemon.LoggingTo(LogFile, Command));
        await Daemon.WaitForSocketAsync(_process, Path.Combine(StateDirectory, "admin.sock"), LogFile);
    }

    /// <summary>kill -9.</summary>
    public Task KillAsync() => _process!.KillAsync();

    /// <summary>Ends it in good order; returns its exit code.</summary>
    public async Task<int> StopAsync() => (await _process!.TerminateAsync(StopDeadline)).ExitCode;

    /// <summary>Waits until it ended by itself.</summary>
    public Task<CommandResult> WaitForExitAsync(TimeSpan deadline) => _process!.WaitForExitAsync(deadline);

    /// <summary>Runs an admin verb through the socket in the state directory.</summary>
    public Task<CommandResult> TryAsync(params string[] verb) =>
        Host.TryAsync([Repository.Program("mesh-coordinator"), .. verb, "--state-dir", StateDirectory]);

    /// <summary>Runs an admin verb, which has to succeed, and returns what it printed.</summary>
    public async Task<string> RunAsync(params string[] verb) => (await TryAsync(verb)).Checked().Output.Trim();

    /// <summary>A join link with a fresh single-use key, or whatever the options say.</summary>
    public Task<string> CreateLinkAsync(params string[] options) => RunAsync(["keys", "create", .. options]);

    /// <summary>The ids of all pre-auth keys.</summary>
    public async Task<IReadOnlyList<string>> KeyIdsAsync()
    {
        using var list = JsonDocument.Parse(await RunAsync("keys", "list", "--json"));
        return [.. list.RootElement.GetProperty("items").EnumerateArray().Select(key => key.GetProperty("id").ToString())];
    }
}
