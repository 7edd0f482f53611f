using System.Diagnostics;
using Mesh.Node.Cli;
using Mesh.Node.Kernel;

namespace Mesh.Node.Wg;

/// <summary>
/// Runs a command of this program in the background: a child in a session of its own, whose start-up errors and exit code are
/// the parent's, and which lets go of the parent's streams once it is ready.
/// </summary>
internal static class Detached
{
    private const string Variable = "MESH_DETACHED";
    private const string ReadyLine = "ready";

    /// <summary>This process is the child.</summary>
    public static bool IsChild => Environment.GetEnvironmentVariable(Variable) == "1";

    /// <summary>In the parent: starts the child, and waits until it is ready or has failed.</summary>
    /// <returns>The exit code for the parent.</returns>
    public static async Task<int> StartAsync(IEnumerable<string> arguments, CommandStreams streams, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[Variable] = "1";
        using Process child = Process.Start(start)!;
        child.StandardInput.Close();
        Task<string> errors = child.StandardError.ReadToEndAsync(cancel);
        if (await child.StandardOutput.ReadLineAsync(cancel).ConfigureAwait(false) == ReadyLine) return (int)ExitCode.Done;
        await streams.Error.WriteAsync(await errors.ConfigureAwait(false)).ConfigureAwait(false);
        await child.WaitForExitAsync(cancel).ConfigureAwait(false);
        return child.ExitCode;
    }

    /// <summary>In the child: tells the parent, and leaves its terminal and streams.</summary>
    public static void Ready()
    {
        _ = Libc.setsid();
        Console.Out.WriteLine(ReadyLine);
        Console.Out.Flush();
        int nothing = Libc.open("/dev/null", Libc.O_RDWR);
        if (nothing < 0) return;
        for (int stream = 0; stream <= 2; stream++) _ = Libc.dup3(nothing, stream, 0);
        _ = Libc.close(nothing);
    }
}
