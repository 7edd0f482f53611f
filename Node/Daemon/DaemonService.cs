using System.Threading.Channels;
using Mesh.Crypto;
using Mesh.Node.Cli;
using Mesh.Node.Device;
using Mesh.Node.Kernel;
using Mesh.Node.LocalApi;
using Mesh.Node.Ping;
using Mesh.Node.Routes;
using Mesh.Node.State;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using HostNetwork = System.Net.NetworkInformation.NetworkChange;

namespace Mesh.Node.Daemon;

/// <summary>
/// The daemon's life: interface, runtime, local socket, ready; then the tick until the end; then all of it back. A failure
/// anywhere ends the process with the code that <see cref="Outcome"/> holds, so that a supervisor starts it again.
/// </summary>
internal sealed partial class DaemonService(
    DaemonOptions options, StateDirectory state, TimeProvider time, IHostApplicationLifetime lifetime, ILoggerFactory logs)
    : BackgroundService
{
    /// <summary>How often the host's addresses are compared, for changes that nobody told of.</summary>
    private static readonly TimeSpan TickInterval = TimeSpan.FromSeconds(10);

    private readonly ILogger _log = logs.CreateLogger<DaemonService>();

    /// <summary>Why the daemon ended; null when it was asked to.</summary>
    public UserException? Outcome { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await RunAsync(stoppingToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Asked to end.
        }
        catch (UserException e)
        {
            Outcome = e;
        }
        catch (KernelException e)
        {
            Outcome = TunnelErrors.Explain(e);
        }
#pragma warning disable CA1031 // The host would end with exit code 0; this way the code and the trace are kept.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogFailed(e);
            Outcome = new UserException(ExitCode.Failed, $"the daemon failed: {e.Message}", "See its log; start it again.", e);
        }
        lifetime.StopApplication();
    }

    private async Task RunAsync(CancellationToken stop)
    {
        using var routes = new RouteClient();
        var stamps = new InitiationClock(time, TimestampFile.Load(state), KeepStamp);
        await using var tunnel = MeshTunnel.Open(routes, options.InterfaceName, options.ListenPort, options.Queues, stamps, time, logs.CreateLogger<MeshTunnel>());
        var parts = new RuntimeParts(state, tunnel, () => LocalEndpoints.List(routes, tunnel.LinkIndex), time, Random.Shared.NextDouble, logs);
        await using var runtime = LoadRuntime(parts);
        await using var server = new LocalServer(runtime, new Pinger(runtime, time), options.SocketPath, time, logs.CreateLogger<LocalServer>());
        server.Start();
        runtime.Resume();
        LogReady(options.SocketPath, tunnel.InterfaceName, tunnel.ListenPort);
        LogCipher(TransportAead.IsFault ? LogLevel.Warning : LogLevel.Information, TransportAead.Implementation, TransportAead.Reason);
        SystemdNotifier.Ready();
        // Holds at most one: any number of changes make one tick, on this service's own thread of control.
        var changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        System.Net.NetworkInformation.NetworkAddressChangedEventHandler changed = (_, _) => changes.Writer.TryWrite(true);
        HostNetwork.NetworkAddressChanged += changed;
        try
        {
            await TickAsync(runtime, tunnel, server, changes.Reader, stop).ConfigureAwait(false);
        }
        finally
        {
            HostNetwork.NetworkAddressChanged -= changed;
            SystemdNotifier.Stopping();
        }
    }

    private static NodeRuntime LoadRuntime(RuntimeParts parts)
    {
        try
        {
            return new NodeRuntime(parts);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException(ExitCode.StateUnusable, $"cannot read or write the state directory: {e.Message}",
                "Make room or rights there, then start the daemon again.", e);
        }
    }

    private async Task TickAsync(NodeRuntime runtime, MeshTunnel tunnel, LocalServer server, ChannelReader<bool> changes, CancellationToken stop)
    {
        using var ticks = new PeriodicTimer(TickInterval, time);
        var tick = ticks.WaitForNextTickAsync(stop).AsTask();
        var change = changes.ReadAsync(stop).AsTask();
        while (true)
        {
            var first = await Task.WhenAny(tick, change, runtime.Failed, tunnel.Failed, server.Completion).ConfigureAwait(false);
            stop.ThrowIfCancellationRequested();
            await first.ConfigureAwait(false);
            if (first == tick) tick = ticks.WaitForNextTickAsync(stop).AsTask();
            else if (first == change) change = changes.ReadAsync(stop).AsTask();
            else throw new InvalidOperationException("a part of the daemon ended by itself");
            runtime.Tick();
        }
    }

    // Without the bound on disk, stamps stay right until a restart; that is better than no handshakes.
    private void KeepStamp(Crypto.Tai64N bound)
    {
        try
        {
            TimestampFile.Save(state, bound);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogStampNotKept(e.Message);
        }
    }

    [LoggerMessage(EventId = 2501, Level = LogLevel.Information,
        Message = "Ready: socket {Socket}, interface {Interface}, UDP port {Port}")]
    private partial void LogReady(string socket, string @interface, int port);

    [LoggerMessage(EventId = 2502, Level = LogLevel.Critical, Message = "The daemon failed")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(EventId = 2503, Level = LogLevel.Error, Message = "The time stamp of handshakes was not written to disk: {Reason}")]
    private partial void LogStampNotKept(string reason);

    [LoggerMessage(EventId = 2504, Message = "Packets are sealed by {Cipher}: {Reason}")]
    private partial void LogCipher(LogLevel level, AeadImplementation cipher, string reason);
}
