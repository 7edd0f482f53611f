using System.Net.Sockets;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Products;

/// <summary>What the two daemons have in common as processes under test.</summary>
internal static class Daemon
{
    private const int TailLines = 25;
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The command, with all that it prints appended to a file: a daemon that outlives the one who started it must not
    /// write into a broken pipe.
    /// </summary>
    public static string[] LoggingTo(string file, string[] command) =>
        ["sh", "-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1", "sh", file, .. command];

    /// <summary>Waits until a daemon listens on its socket, which is the last thing that it does when it starts.</summary>
    public static async Task WaitForSocketAsync(LabProcess process, string path, string logFile)
    {
        async Task<bool> ListensAsync()
        {
            if (process.HasExited)
                throw new InvalidOperationException($"It ended at once. {Tail(logFile)}");
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }

        await Wait.UntilAsync($"something listens on {path}", StartDeadline, ListensAsync, () => Tail(logFile));
    }

    /// <summary>The end of a log, for the message of a failure.</summary>
    public static string Tail(string file) =>
        File.Exists(file)
            ? $"The end of {Path.GetFileName(file)}:\n  " + string.Join("\n  ", File.ReadLines(file).TakeLast(TailLines))
            : "";
}
