using System.CommandLine;
using System.Globalization;
using Mesh.Node.LocalApi;

namespace Mesh.Node.Cli.Verbs;

/// <summary><c>mesh ping</c>: round trips through the tunnel, and the path they took.</summary>
internal static class PingVerb
{
    private const int DefaultCount = 5;

    public static Command Create(CommandStreams streams)
    {
        var host = new Argument<string>("HOST") { Description = "A peer's name or address" };
        var count = new Option<int>("-c", "--count") { Description = "How many", HelpName = "N", DefaultValueFactory = _ => DefaultCount };
        var socket = SharedOptions.Socket();
        var json = SharedOptions.Json();
        var command = new Command("ping", "Pings a peer through the tunnel and says by which path.\n\nExample:\n  mesh ping build-7 -c 3") { host, count, socket, json };
        command.SetAction(async (parsed, cancel) =>
        {
            bool asJson = parsed.GetValue(json);
            int answered = 0;
            var request = new LocalRequest(LocalRequest.PingVerb, Ping: new PingRequest(parsed.GetRequiredValue(host), parsed.GetValue(count)));
            await LocalClient.AskAsync(parsed.GetRequiredValue(socket), request, reply =>
            {
                if (reply.LatencyMs is not null) answered++;
                streams.Output.WriteLine(asJson ? OutputJson.Text(reply) : Describe(reply));
            }, cancel).ConfigureAwait(false);
            if (answered > 0) return (int)ExitCode.Done;
            throw new UserException(ExitCode.NoReply, $"{parsed.GetValue(host)} answered none of {parsed.GetValue(count)} pings",
                "See whether it is online and why there is no path: mesh status");
        });
        return command;
    }

    private static string Describe(PingReply reply) => reply.LatencyMs is { } ms
        ? string.Create(CultureInfo.InvariantCulture, $"{reply.Host} ({reply.Address}) {reply.Sequence}: {ms:0.00} ms, {reply.Path} via {reply.Endpoint}")
        : $"{reply.Host} ({reply.Address}) {reply.Sequence}: no answer: {reply.Reason}";
}
