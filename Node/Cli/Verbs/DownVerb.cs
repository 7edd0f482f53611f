using System.CommandLine;
using Mesh.Node.LocalApi;

namespace Mesh.Node.Cli.Verbs;

/// <summary><c>mesh down</c>: takes the tunnel down and stays a member.</summary>
internal static class DownVerb
{
    public static Command Create(CommandStreams streams)
    {
        var socket = SharedOptions.Socket();
        var json = SharedOptions.Json();
        var command = new Command("down", "Takes the tunnel down until the next mesh up. The machine stays a member.\n\nExample:\n  sudo mesh down")
        {
            socket, json,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            await LocalClient.AskAsync(parsed.GetRequiredValue(socket), new LocalRequest(LocalRequest.DownVerb), null, cancel).ConfigureAwait(false);
            if (parsed.GetValue(json)) await streams.Output.WriteLineAsync(OutputJson.Text(new StateOutput("down"))).ConfigureAwait(false);
            return (int)ExitCode.Done;
        });
        return command;
    }
}
