using System.CommandLine;
using Mesh.Node.LocalApi;

namespace Mesh.Node.Cli.Verbs;

/// <summary><c>mesh rotate</c>: changes the node key now.</summary>
internal static class RotateVerb
{
    public static Command Create(CommandStreams streams)
    {
        var socket = SharedOptions.Socket();
        var json = SharedOptions.Json();
        var command = new Command("rotate", "Changes this machine's WireGuard key now; running flows go on. It changes by itself every 30 days unless the network\n"
            + "says otherwise. Waits until every peer that is online knows the new key, or for 5 minutes.\n\nExample:\n  sudo mesh rotate")
        {
            socket, json,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            var done = await LocalClient.AskAsync(parsed.GetRequiredValue(socket), new LocalRequest(LocalRequest.RotateVerb), null, cancel).ConfigureAwait(false);
            var rotated = done.Rotate!;
            await streams.Output.WriteLineAsync(parsed.GetValue(json) ? OutputJson.Text(rotated) : $"The node key is {rotated.NodeKey} now").ConfigureAwait(false);
            return (int)ExitCode.Done;
        });
        return command;
    }
}
