using System.Runtime.ExceptionServices;

namespace Mesh.EndToEnd.Lab;

/// <summary>One network namespace: a host of the lab, with nothing but its loopback until links are added.</summary>
/// <param name="lab">Owns what is started here.</param>
/// <param name="name">The name that <c>ip netns exec</c> takes; null for the namespace that the tests themselves run in.</param>
internal sealed class NetworkNamespace(NetworkLab lab, string? name)
{
    private static readonly TimeSpan CommandDeadline = TimeSpan.FromSeconds(30);

    private readonly string[] _enter = name is null ? [] : ["ip", "netns", "exec", name];

    /// <summary>The name that <c>ip netns exec</c> takes.</summary>
    public string Name => name ?? throw new InvalidOperationException("The tests' own namespace has no name");

    /// <summary>Starts a program inside.</summary>
    public LabProcess Start(IReadOnlyList<string> command, string? input = null, IReadOnlyDictionary<string, string?>? environment = null) =>
        lab.Own(LabProcess.Start([.. _enter, .. command], input, environment));

    /// <summary>Runs a program inside to its end.</summary>
    public async Task<CommandResult> TryAsync(IReadOnlyList<string> command, string? input = null, TimeSpan? deadline = null)
    {
        await using var process = LabProcess.Start([.. _enter, .. command], input);
        return await process.WaitForExitAsync(deadline ?? CommandDeadline);
    }

    /// <summary>Runs a program inside, which has to succeed, and returns what it printed.</summary>
    public async Task<string> RunAsync(params string[] command) => (await TryAsync(command)).Checked().Output;

    /// <summary>Runs <c>ip -n NAME ...</c>; the words of the command are split at spaces.</summary>
    public async Task IpAsync(string command) => await NetworkLab.RunAsync(["ip", "-n", Name, .. command.Split(' ')]);

    /// <summary>Runs code on a thread inside. A socket made there stays there, whichever thread uses it later.</summary>
    public T Inside<T>(Func<T> code)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using var network = File.OpenHandle($"/run/netns/{Name}");
                Native.EnterNetwork(network);
                result = code();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }

    /// <summary>Sends <paramref name="count"/> pings; whether all of them were answered.</summary>
    public async Task<bool> PingsAsync(string address, int count = 1, int secondsToWait = 2) =>
        (await TryAsync(["ping", "-n", "-q", "-c", $"{count}", "-i", "0.2", "-W", $"{secondsToWait}", address])) is { ExitCode: 0 } result
        && result.Output.Contains($" {count} received", StringComparison.Ordinal);
}
