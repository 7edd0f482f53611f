using System.Net;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Tests;

/// <summary>A whole coordinator for one test: real Kestrel on loopback, real TLS, real files; only time is the test's.</summary>
internal sealed class ServedCoordinator : ITestCoordinator, IAsyncDisposable
{
    private readonly TemporaryDirectory _directory;
    private CoordinatorServer _server;

    private ServedCoordinator(TemporaryDirectory directory, CoordinatorServer server, ManualClock clock, LogRecorder log, int rate)
    {
        (_directory, _server, Clock, Log, _rate) = (directory, server, clock, log, rate);
    }

    private readonly int _rate;

    public ManualClock Clock { get; }

    public LogRecorder Log { get; }

    public string StateDirectory => _directory.Path;

    public IPEndPoint EndPoint => _server.EndPoint;

    public ReadOnlyMemory<byte> Pin => _server.Keys.Pin;

    public DateTimeOffset Now => Clock.GetUtcNow();

    public CoordinatorServer Server => _server;

    /// <summary>What --coordinator takes.</summary>
    public string AdminAddress => $"mesh://{_server.AdminEndPoint}/{System.Buffers.Text.Base64Url.EncodeToString(_server.Keys.Pin.Span)}";

    public NetworkHost Network => NetworkOf("default");

    public NetworkHost NetworkOf(string name) => _server.Networks.TryGet(name, out var network) ? network : throw new InvalidOperationException();

    /// <param name="directory">Owned from now on; a fresh one by default.</param>
    public static async Task<ServedCoordinator> StartAsync(int requestsPerSecond = 100_000, TemporaryDirectory? directory = null, ManualClock? clock = null)
    {
        // Certificates are judged by the clock of whoever looks; the machine's time serves for both ends.
        clock ??= new ManualClock(DateTimeOffset.UtcNow);
        directory ??= new TemporaryDirectory();
        var log = new LogRecorder();
        var server = await StartAsync(directory, clock, log, requestsPerSecond);
        return new ServedCoordinator(directory, server, clock, log, requestsPerSecond);
    }

    public async Task RestartAsync()
    {
        await _server.DisposeAsync();
        _server = await StartAsync(_directory, Clock, Log, _rate);
    }

    public Task AllowAllAsync() => SetPolicyAsync(NetworkPolicy.AllowAllText);

    public async Task SetPolicyAsync(string text) =>
        await Network.Runtime.ExecuteAsync(new SetPolicy(text), Actor.System, IdempotencyKey.None);

    /// <summary>A key's text.</summary>
    public async Task<string> CreateKeyAsync(bool reusable = false, bool ephemeral = false, TimeSpan? lifetime = null)
    {
        var command = new CreatePreAuthKey { Reusable = reusable, Ephemeral = ephemeral, Lifetime = lifetime ?? TimeSpan.FromDays(1) };
        return (await Network.Runtime.ExecuteAsync(command, Actor.System, IdempotencyKey.None)).Text!;
    }

    /// <summary>A machine that has joined; the user of its key is made if need be.</summary>
    public async Task<TestMachine> JoinAsync(string hostname = "machine", CreatePreAuthKey? key = null)
    {
        var runtime = Network.Runtime;
        if (key is { User.Length: > 0 } && runtime.State.FindUser(key.User) is null)
            await runtime.ExecuteAsync(new CreateUser(key.User), Actor.System, IdempotencyKey.None);
        var machine = new TestMachine(this);
        await machine.RegisterAsync(key is null ? await CreateKeyAsync() : (await runtime.ExecuteAsync(key, Actor.System, IdempotencyKey.None)).Text!, hostname);
        return machine;
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _directory.Dispose();
    }

    private static Task<CoordinatorServer> StartAsync(string directory, ManualClock clock, LogRecorder log, int rate) =>
        CoordinatorServer.StartAsync(
            new ServeOptions { StateDirectory = directory, Listen = new IPEndPoint(IPAddress.Loopback, 0), AdminListen = new IPEndPoint(IPAddress.Loopback, 0), RequestsPerSecondPerAddress = rate },
            clock, logging => logging.AddProvider(log));
}

/// <summary>Keeps what was logged, as text.</summary>
internal sealed class LogRecorder : ILoggerProvider, ILogger
{
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines
    {
        get { lock (_lock) return [.. _lines]; }
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lock) _lines.Add($"{logLevel} {eventId.Id} {formatter(state, exception)} {exception}");
    }

    public void Dispose()
    {
    }
}
