using System.Diagnostics;
using System.Security.Cryptography;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Tests.Log;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Coordinator.Tests.Network;

/// <summary>
/// A process that registers nodes in a network, many at once, as long as it lives, and prints the id and machine key of each
/// that was acknowledged.
/// </summary>
internal sealed class LogWriterProcess : IDisposable
{
    public const string Verb = "write-log";
    public const string NetworkName = "crash";

    private const string RootKeyName = "root.der";
    private const int Writers = 16;

    private readonly Process _process;

    private LogWriterProcess(Process process) => _process = process;

    /// <summary>Makes a network for such processes in a directory.</summary>
    public static async Task<TestSigner> CreateNetworkAsync(string directory)
    {
        var root = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllBytes(Path.Combine(directory, RootKeyName), root.ExportECPrivateKey());
        var signer = new TestSigner(root);
        Assert.True(await Open(directory, signer).CreateAsync(NetworkName, AddressPlan.New(), Actor.System, IdempotencyKey.None));
        return signer;
    }

    public static NetworkDirectory Open(string directory, ILogSigner signer) =>
        new(Path.Combine(directory, "networks"), signer, TimeProvider.System, NullLogger.Instance);

    public static LogWriterProcess Start(string directory)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        // Under `dotnet test.dll` the program to start is dotnet, with the assembly before the arguments.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(LogWriterProcess).Assembly.Location);
        start.ArgumentList.Add(Verb);
        start.ArgumentList.Add(directory);
        return new LogWriterProcess(Process.Start(start)!);
    }

    /// <summary>Reads what was acknowledged, kills the process (SIGKILL) after so many, and reads what else had been.</summary>
    public async Task<List<string>> ReadAndKillAsync(int acknowledged)
    {
        var lines = new List<string>();
        while (await _process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            lines.Add(line);
            if (lines.Count == acknowledged)
                _process.Kill();
        }

        // A line that the kill cut short may claim anything.
        if (lines.Count > 0 && !lines[^1].EndsWith('.'))
            lines.RemoveAt(lines.Count - 1);
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return lines;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    public static async Task<int> RunAsync(string directory)
    {
        var root = ECDsa.Create();
        root.ImportECPrivateKey(File.ReadAllBytes(Path.Combine(directory, RootKeyName)), out _);
        using var signer = new TestSigner(root);
        await using var network = await Open(directory, signer).OpenAsync(NetworkName);
        await using var output = Console.OpenStandardOutput();
        var writing = new Lock();
        await Task.WhenAny(Enumerable.Range(0, Writers).Select(async _ =>
        {
            while (true)
            {
                var key = await network.ExecuteAsync(new CreatePreAuthKey(), Actor.System, IdempotencyKey.New());
                var registration = TestNetwork.Registering("node", key.Text);
                var node = (await network.ExecuteAsync(registration, Actor.System, IdempotencyKey.New())).Node;
                lock (writing)
                    output.Write(System.Text.Encoding.ASCII.GetBytes($"{node.Id} {node.MachineKey.Id} {node.IPv4} {node.Name} .\n"));
            }
        }));
        return 1; // Only a fault gets here.
    }
}
