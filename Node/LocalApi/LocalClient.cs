using System.Text.Json;
using Mesh.Node.Cli;

namespace Mesh.Node.LocalApi;

/// <summary>The command line's end of the local API.</summary>
internal static class LocalClient
{
    /// <summary>Asks, and waits for the end of the answer.</summary>
    /// <param name="onReply">Called for each reply that comes before the end.</param>
    /// <exception cref="UserException">No daemon, or what the daemon says went wrong.</exception>
    public static async Task<DoneAnswer> AskAsync(string path, LocalRequest request, Action<PingReply>? onReply, CancellationToken cancel)
    {
        using var channel = new LineChannel(await LocalSocket.ConnectAsync(path, cancel).ConfigureAwait(false));
        try
        {
            await channel.WriteAsync(LocalJson.Default.LocalRequest, request, cancel).ConfigureAwait(false);
            while (true)
            {
                var answer = await channel.ReadAsync(LocalJson.Default.LocalAnswer, LineChannel.MaxLineBytes, cancel).ConfigureAwait(false);
                switch (answer)
                {
                    case null:
                        throw new UserException(ExitCode.NoDaemon, $"the daemon at {path} went away before it answered", "See its log: journalctl -u mesh");
                    case { Error: { } error }:
                        throw new UserException(error.Code, error.What, error.Next);
                    case { Done: { } done }:
                        return done;
                    case { Reply: { } reply }:
                        onReply?.Invoke(reply);
                        break;
                }
            }
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            throw new UserException(ExitCode.NoDaemon, $"what answers at {path} is no mesh daemon of this version: {e.Message}",
                "Name the right socket with --socket, or restart the daemon after an update.", e);
        }
    }
}
