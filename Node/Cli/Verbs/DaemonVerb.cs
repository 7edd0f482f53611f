using System.CommandLine;
using Mesh.Crypto;
using Mesh.Node.Daemon;
using Mesh.Node.Device;
using Mesh.Node.State;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Mesh.Node.Cli.Verbs;

/// <summary><c>mesh daemon</c>: runs until a signal ends it.</summary>
internal static class DaemonVerb
{
    private static readonly TimeSpan ShutdownPatience = TimeSpan.FromSeconds(15);

    public static Command Create()
    {
        var stateDirectory = new Option<string>("--state-dir")
        {
            Description = "Where keys and the last map are kept; made when missing, tightened to 0700",
            HelpName = "DIR",
            DefaultValueFactory = _ => DaemonOptions.DefaultStateDirectory,
        };
        var socket = SharedOptions.Socket();
        var tun = new Option<string>("--tun")
        {
            Description = "Name of the network interface to make",
            HelpName = "NAME",
            DefaultValueFactory = _ => DaemonOptions.DefaultInterfaceName,
        };
        var port = SharedOptions.Number("--listen-port", "port", ushort.MaxValue, $"UDP port; left out: {DaemonOptions.PreferredPort}, or any when that is taken");
        var queues = SharedOptions.Queues();
        var command = new Command("daemon", "Runs the node. Everything else talks to it.\n\nExample:\n  sudo mesh daemon --state-dir /var/lib/mesh")
        {
            stateDirectory, socket, tun, port, queues,
        };
        command.SetAction((parsed, cancel) => RunAsync(new DaemonOptions(
            parsed.GetRequiredValue(stateDirectory), parsed.GetRequiredValue(socket), parsed.GetRequiredValue(tun), parsed.GetValue(port),
            parsed.GetValue(queues) ?? DeviceQueue.DefaultCount)));
        return command;
    }

    private static async Task<int> RunAsync(DaemonOptions options)
    {
        CryptoLibraries.Require();
        using var state = StateDirectory.Open(options.StateDirectory);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.Information);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        // Under a service manager its journal adds the time; priorities let it tell levels apart.
        if (Environment.GetEnvironmentVariable("JOURNAL_STREAM") is not null) builder.Logging.AddSystemdConsole();
        else builder.Logging.AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat, console.UseUtcTimestamp) = (true, "yyyy-MM-dd'T'HH:mm:ss'Z' ", true));
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownPatience);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(state);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<DaemonService>();
        builder.Services.AddHostedService(services => services.GetRequiredService<DaemonService>());
        using var host = builder.Build();
        var service = host.Services.GetRequiredService<DaemonService>();
        await host.RunAsync().ConfigureAwait(false);
        if (service.Outcome is { } failure) throw failure;
        return (int)ExitCode.Done;
    }
}
