using System.CommandLine;
using Mesh.Node.LocalApi;

namespace Mesh.Node.Cli.Verbs;

/// <summary><c>mesh up</c>: joins with a link, or brings up what was joined before.</summary>
internal static class UpVerb
{
    private const int MaxLinkChars = 4096;
    private static readonly TimeSpan ApprovalPoll = TimeSpan.FromSeconds(2);

    public static Command Create(CommandStreams streams)
    {
        var link = new Argument<string?>("LINK")
        {
            Description = "The join link, or - to read it from standard input (recommended: it stays out of the shell's history)",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var hostname = new Option<string?>("--hostname") { Description = "What this machine is to be called", HelpName = "H" };
        var endpoint = new Option<string[]>("--endpoint")
        {
            Description = "ADDRESS:PORT at which peers can reach this machine, beside those found by itself; may be given again",
            HelpName = "ADDRESS:PORT",
        };
        var mtu = new Option<int?>("--mtu") { Description = "MTU of the tunnel (1280 if never given)", HelpName = "N" };
        var socket = SharedOptions.Socket();
        var json = SharedOptions.Json();
        var command = new Command("up", "Joins the network of a link, or brings up the one joined before.\n\nExample:\n"
            + "  sudo mesh up -            (paste the link that mesh-coordinator keys create printed)\n  sudo mesh up - --hostname build-7 < link.txt")
        {
            link, hostname, endpoint, mtu, socket, json,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            string? given = parsed.GetValue(link);
            if (given == "-") given = await ReadLinkAsync(streams.Input, cancel).ConfigureAwait(false);
            string[]? endpoints = parsed.GetValue(endpoint) is { Length: > 0 } some ? some : null;
            var request = new LocalRequest(LocalRequest.UpVerb, Up: new UpRequest(given, parsed.GetValue(hostname), endpoints, parsed.GetValue(mtu)));
            string path = parsed.GetRequiredValue(socket);
            var done = await LocalClient.AskAsync(path, request, null, cancel).ConfigureAwait(false);
            var up = done.Up!;
            if (up.ApprovalCode is { } code) up = await WaitForApprovalAsync(path, code, up, streams, cancel).ConfigureAwait(false);
            await streams.Output.WriteLineAsync(parsed.GetValue(json)
                ? OutputJson.Text(up)
                : $"Up in network {up.Network} as {up.Name}: {string.Join(", ", up.Addresses)}").ConfigureAwait(false);
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static async Task<string> ReadLinkAsync(TextReader input, CancellationToken cancel)
    {
        char[] text = new char[MaxLinkChars];
        int length = 0;
        while (length < text.Length)
        {
            int n = await input.ReadAsync(text.AsMemory(length), cancel).ConfigureAwait(false);
            length += n;
            if (n == 0 || text.AsSpan(0, length).Trim().Length > 0 && text.AsSpan(0, length).Contains('\n')) break;
        }
        string link = new(text.AsSpan(0, length).Trim());
        return link.Length > 0
            ? link
            : throw new UserException(ExitCode.Usage, "standard input held no join link", "Paste the line that mesh-coordinator keys create printed.");
    }

    private static async Task<UpAnswer> WaitForApprovalAsync(
        string path, string code, UpAnswer up, CommandStreams streams, CancellationToken cancel)
    {
        string? shown = null;
        while (true)
        {
            if (code != shown)
            {
                await streams.Error.WriteLineAsync(
                    $"Waiting for approval. An administrator lets this machine in with: mesh-coordinator nodes approve {code} --user NAME").ConfigureAwait(false);
                shown = code;
            }
            await Task.Delay(ApprovalPoll, cancel).ConfigureAwait(false);
            var done = await LocalClient.AskAsync(path, new LocalRequest(LocalRequest.StatusVerb), null, cancel).ConfigureAwait(false);
            var self = done.Status!.Self;
            if (self is { State: "up", Name: { } name } && self.Addresses.Count > 0)
                return up with { Name = name, Addresses = self.Addresses, ApprovalCode = null };
            code = self.ApprovalCode ?? code;
            if (self.State is not ("pending" or "up"))
                throw new UserException(ExitCode.Refused, $"this machine was not let in (it is {self.State} now)", "Ask your administrator, then try again.");
        }
    }
}
