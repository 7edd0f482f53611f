using System.CommandLine;
using Mesh.Node.LocalApi;

namespace Mesh.Node.Cli.Verbs;

/// <summary><c>mesh logout</c>: leaves the network.</summary>
internal static class LogoutVerb
{
    public static Command Create(CommandStreams streams)
    {
        var force = new Option<bool>("--force") { Description = "Forget the network here even when the coordinator can't be told" };
        var socket = SharedOptions.Socket();
        var json = SharedOptions.Json();
        var command = new Command("logout", "Leaves the network: tells the coordinator, and forgets the node key and the map.\n\nExample:\n  sudo mesh logout")
        {
            force, socket, json,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            var request = new LocalRequest(LocalRequest.LogoutVerb, Logout: new LogoutRequest(parsed.GetValue(force)));
            await LocalClient.AskAsync(parsed.GetRequiredValue(socket), request, null, cancel).ConfigureAwait(false);
            if (parsed.GetValue(json)) await streams.Output.WriteLineAsync(OutputJson.Text(new StateOutput("none"))).ConfigureAwait(false);
            return (int)ExitCode.Done;
        });
        return command;
    }
}
