using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Cli;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Soak;

/// <summary>A coordinator as a process of its own, that can be killed at any moment and started again where it was.</summary>
internal sealed class CoordinatorProcess : ITestCoordinator, IAsyncDisposable
{
    public const string Verb = "coordinator";

    private readonly TemporaryDirectory _directory = new();
    private readonly List<string> _said = [];
    private Process? _process;
    private TaskCompletionSource _up = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IPEndPoint EndPoint { get; } = new(IPAddress.Loopback, FreePort());

    public ReadOnlyMemory<byte> Pin { get; private set; }

    public DateTimeOffset Now => DateTimeOffset.UtcNow;

    public string StateDirectory => _directory.Path;

    /// <summary>Completes when it serves; at once while it does.</summary>
    public Task UpAsync()
    {
        lock (_said) return _up.Task;
    }

    /// <summary>What the process has used since it was started last.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process!.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public AdminClient Admin() => AdminClient.OverSocket(StateDirectory);

    public async Task StartAsync()
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardError = true };
        // Under `dotnet test.dll` the program to start is dotnet, with the assembly before the arguments.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(CoordinatorProcess).Assembly.Location);
        foreach (string argument in new[] { Verb, "serve", "--state-dir", StateDirectory, "--listen", EndPoint.ToString(), "--requests-per-address", "1000000" })
            start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, line) => Hear(line.Data);
        _process.BeginErrorReadLine();
        if (await Task.WhenAny(UpAsync(), _process.WaitForExitAsync()) != UpAsync()) Assert.Fail($"the coordinator ended:\n{Said()}");
        using var root = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(StateDirectory, "root.crt"));
        Pin = CoordinatorTrust.PinOf(root);
    }

    /// <summary>SIGKILL, and back again.</summary>
    public async Task KillAndRestartAsync()
    {
        lock (_said) _up = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        await StartAsync();
    }

    public string Said()
    {
        lock (_said) return string.Join('\n', _said.TakeLast(20));
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            if (!_process.HasExited) _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
        }
        _directory.Dispose();
    }

    private void Hear(string? line)
    {
        if (line is null) return;
        lock (_said)
        {
            _said.Add(line);
            if (line.Contains("[1002]", StringComparison.Ordinal)) _up.TrySetResult();
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
