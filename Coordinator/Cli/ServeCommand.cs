using System.CommandLine;
using System.Net;
using System.Runtime.InteropServices;
using Mesh.Coordinator.Hosting;
using Mesh.Crypto;
using Mesh.Protocol;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Cli;

/// <summary>serve: runs the coordinator until it is told to stop.</summary>
internal static class ServeCommand
{
    private const string Help = """
        Runs the coordinator: the node API over TLS on --listen, the admin API on a socket in --state-dir and, with
        --admin-listen, over TLS for whoever has an admin token (see tokens create --help).

        Example:
          mesh-coordinator serve --state-dir /var/lib/mesh-coordinator --listen 0.0.0.0:8443 --public-host mesh.example.com:8443 \
            --admin-listen 0.0.0.0:8444

        Exit codes:
          0   stopped by SIGTERM or SIGINT        12  the address is taken or not ours
          2   the command line is wrong           13  a key, certificate or log is damaged
          10  another coordinator runs on the     14  the log could not be written (disk full, I/O error)
              state directory                     70  a fault of ours
          11  the state directory is unusable
        """;

    public static Command Create(Terminal terminal)
    {
        var stateDir = new Option<string>("--state-dir") { Description = "Where keys and logs are kept; made if missing", Required = true, HelpName = "DIR" };
        var listen = new Option<string>("--listen") { Description = "Where nodes reach it, such as 0.0.0.0:8443 or [::]:8443", Required = true, HelpName = "ADDR:PORT" };
        var adminListen = new Option<string?>("--admin-listen") { Description = "Where administrators with a token reach it, such as 0.0.0.0:8444; by default nowhere", HelpName = "ADDR:PORT" };
        var publicHost = new Option<string?>("--public-host") { Description = "What join links carry; by default the address listened on", HelpName = "HOST:PORT" };
        var rate = new Option<int>("--requests-per-address")
        {
            Description = "Requests that one source address may make a second; raise it for fleets behind one address",
            DefaultValueFactory = _ => ControlLimits.RequestsPerSecondPerAddress, HelpName = "COUNT",
        };
        var command = new Command("serve", Help) { stateDir, listen, adminListen, publicHost, rate };
        command.SetAction((line, cancellation) => AdminVerb.GuardAsync(terminal, () =>
        {
            var endPoint = EndPoint("--listen", line.GetValue(listen)!);
            var adminEndPoint = line.GetValue(adminListen) is { } admin ? EndPoint("--admin-listen", admin) : null;
            if (adminEndPoint is { Port: not 0 } && adminEndPoint.Equals(endPoint))
                throw new CliFailure(ExitCode.Usage, "--admin-listen is the same as --listen", "give administrators a port of their own");
            if (line.GetValue(publicHost) is { } host && !JoinLink.TrySplitAuthority(host, out _, out _))
                throw new CliFailure(ExitCode.Usage, "--public-host is not a host and a port", "say HOST:PORT, such as mesh.example.com:8443");
            if (line.GetValue(rate) is < 1 or > 1_000_000)
                throw new CliFailure(ExitCode.Usage, "--requests-per-address is not from 1 to 1000000");
            return RunAsync(terminal, new ServeOptions
            {
                StateDirectory = line.GetRequiredValue(stateDir), Listen = endPoint, AdminListen = adminEndPoint,
                PublicHost = line.GetValue(publicHost),
                RequestsPerSecondPerAddress = line.GetValue(rate),
            }, cancellation);
        }));
        return command;
    }

    private static IPEndPoint EndPoint(string option, string text) =>
        IPEndPoint.TryParse(text, out var endPoint) && text.Contains(':', StringComparison.Ordinal)
            ? endPoint
            : throw new CliFailure(ExitCode.Usage, $"{option} is not an address and a port", "say ADDR:PORT, such as 0.0.0.0:8443 or [::]:8443");

    private static async Task<int> RunAsync(Terminal terminal, ServeOptions options, CancellationToken cancellation)
    {
        try
        {
            CryptoLibraries.Require();
        }
        catch (CryptoUnavailableException e)
        {
            throw new CliFailure(ExitCode.Refused, e.Message);
        }
        // From here on a signal means: stop in order. A second one, too.
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.TrySetResult();
        }
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var cancelled = cancellation.UnsafeRegister(_ => stop.TrySetResult(), null);
        try
        {
            await using var server = await CoordinatorServer.StartAsync(options, TimeProvider.System, ToStandardError);
            SystemdNotifier.Ready();
            await Task.WhenAny(stop.Task, server.Networks.Failed);
            SystemdNotifier.Stopping();
            if (!server.Networks.Failed.IsCompleted) return ExitCode.Ok;
            var failure = await server.Networks.Failed;
            terminal.Note($"mesh-coordinator: the log could not be written: {failure.Message}");
            terminal.Note("  every change that was acknowledged is on disk; mend what is said above and start again");
            return ExitCode.StoreFailed;
        }
        catch (StartFailure failure)
        {
            terminal.Note($"mesh-coordinator: {failure.Message}");
            terminal.Note($"  {failure.Remedy}");
            return failure.ExitCode;
        }
    }

    private static void ToStandardError(ILoggingBuilder logging) => logging
        .AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.ColorBehavior = Microsoft.Extensions.Logging.Console.LoggerColorBehavior.Disabled;
        })
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
}
