using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Mesh.Crypto;
using Mesh.Node.Daemon;
using Mesh.Node.Device;
using Mesh.Node.Kernel;
using Mesh.Node.Offload;
using Mesh.Node.Wg;

namespace Mesh.Node.Cli.Verbs;

/// <summary><c>mesh wg IFACE</c>: a plain userspace WireGuard device, for wg(8) and wg-quick(8).</summary>
internal static class WgVerb
{
    /// <summary>The variable by which the ecosystem's scripts ask any implementation to stay in the foreground.</summary>
    private const string ForegroundVariable = "WG_PROCESS_FOREGROUND";

    public static Command Create(CommandStreams streams)
    {
        var name = new Argument<string>("IFACE") { Description = "Name of the interface, 1 to 15 bytes." };
        var foreground = new Option<bool>("--foreground", "-f")
        {
            Description = "Stay in the foreground. Without it, return once the configuration socket answers.",
        };
        var queues = SharedOptions.Queues();
        var verb = new Command("wg", "Makes a plain WireGuard interface, to be set up with wg(8) through /var/run/wireguard/IFACE.sock. "
            + "It lasts until it is deleted (ip link del IFACE) or the process ends.\n\n"
            + "Example:\n  sudo mesh wg wg0 && sudo wg setconf wg0 wg0.conf\n"
            + "  sudo WG_QUICK_USERSPACE_IMPLEMENTATION=mesh-wg wg-quick up wg0")
        {
            name,
            foreground,
            queues,
        };
        verb.SetAction(async (parsed, cancel) =>
        {
            string value = parsed.GetRequiredValue(name);
            int? count = parsed.GetValue(queues);
            if (Detached.IsChild) return await RunAsync(value, count, streams, Detached.Ready).ConfigureAwait(false);
            if (parsed.GetValue(foreground) || Environment.GetEnvironmentVariable(ForegroundVariable) == "1")
                return await RunAsync(value, count, streams, static () => { }).ConfigureAwait(false);
            string[] more = count is { } n ? ["--queues", n.ToString(CultureInfo.InvariantCulture)] : [];
            return await Detached.StartAsync(["wg", value, .. more], streams, cancel).ConfigureAwait(false);
        });
        return verb;
    }

    private static async Task<int> RunAsync(string name, int? queues, CommandStreams streams, Action ready)
    {
        CryptoLibraries.Require();
        var terminated = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Terminate);
        using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Terminate);
        try
        {
            using var device = WireGuardInterface.Open(name, OffloadSwitches.FromEnvironment(), queues ?? DeviceQueue.DefaultCount, TimeProvider.System,
                line => streams.Error.WriteLine($"mesh wg: {line}"));
            if (TransportAead.IsFault) streams.Error.WriteLine($"mesh wg: packets are sealed by {TransportAead.Implementation}: {TransportAead.Reason}");
            ready();
            Task ended = await Task.WhenAny(device.Completion, terminated.Task).ConfigureAwait(false);
            await ended.ConfigureAwait(false);
            return (int)ExitCode.Done;
        }
        catch (KernelException e)
        {
            throw TunnelErrors.Explain(e);
        }
        catch (IOException e)
        {
            throw new UserException(ExitCode.InUse, e.Message, "End the other process, or choose another name.", e);
        }

        void Terminate(PosixSignalContext context)
        {
            context.Cancel = true;
            terminated.TrySetResult();
        }
    }
}
