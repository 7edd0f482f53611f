using System.CommandLine;
using System.Globalization;
using Mesh.Node.LocalApi;
using Spectre.Console;

namespace Mesh.Node.Cli.Verbs;

/// <summary><c>mesh status</c>: this machine, its coordinator and its peers.</summary>
internal static class StatusVerb
{
    private const int PipeWidth = 200;

    public static Command Create(CommandStreams streams)
    {
        var socket = SharedOptions.Socket();
        var json = SharedOptions.Json();
        var command = new Command("status", "Shows this machine, its coordinator and its peers.\n\nExample:\n  mesh status\n  mesh status --json") { socket, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var done = await LocalClient.AskAsync(parsed.GetRequiredValue(socket), new LocalRequest(LocalRequest.StatusVerb), null, cancel)
                .ConfigureAwait(false);
            if (parsed.GetValue(json)) await streams.Output.WriteLineAsync(OutputJson.Text(done.Status!)).ConfigureAwait(false);
            else Draw(done.Status!, streams.Output);
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static void Draw(NodeStatus status, TextWriter output)
    {
        var (self, coordinator) = (status.Self, status.Coordinator);
        output.WriteLine(self.State switch
        {
            "none" => "This machine is in no network. Join one: mesh up LINK",
            "pending" => $"Waiting for approval in network {self.Network}. Code: {self.ApprovalCode}",
            "down" => $"{self.Name} in network {self.Network}, down. Bring it up: mesh up",
            "expired" => $"The authorisation of this machine{(self.Name is null ? "" : $" ({self.Name})")} in network {self.Network} has ended; it keeps its name and addresses.\n"
                + "Let it in again: mesh up LINK with a new link, or mesh up and have an administrator approve it.",
            "removed" => $"This machine is no member of network {self.Network} any more. Join again: mesh up LINK",
            _ => $"{self.Name ?? "(no name yet)"} in network {self.Network}, {self.State}: {string.Join(", ", self.Addresses)}",
        });
        if (self.State is "up" or "pending" or "expired")
            output.WriteLine(coordinator.Connected
                ? $"Coordinator {coordinator.Address}: connected, position {coordinator.Position}"
                : $"Coordinator {coordinator.Address}: not connected{(coordinator.Error is { } error ? $" ({error})" : "")}; tunnels go on with position {coordinator.Position}");
        foreach (string warning in self.Warnings) output.WriteLine($"Warning: {warning}");
        if (status.Peers.Count > 0) DrawPeers(status.Peers, output);
        else if (self.State == "up") output.WriteLine("No peers. The network's policy decides which ones this machine may see.");
    }

    private static void DrawPeers(IReadOnlyList<PeerStatus> peers, TextWriter output)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output), Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect });
        if (Console.IsOutputRedirected) console.Profile.Width = PipeWidth;
        var table = new Table { Border = TableBorder.None };
        foreach (string title in (string[])["PEER", "ADDRESS", "ONLINE", "PATH", "LATENCY", "RX", "TX", "LAST HANDSHAKE"]) table.AddColumn(title);
        foreach (var peer in peers)
            table.AddRow(new Text(peer.Name), new Text(peer.Addresses.Count > 0 ? peer.Addresses[0] : ""), new Text(peer.Online ? "yes" : "no"),
                new Text(peer.Endpoint is null ? $"{peer.Path}: {peer.Reason}" : $"{peer.Path} via {peer.Endpoint}"),
                new Text(peer.LatencyMs is { } ms ? ms.ToString("0.0 ms", CultureInfo.InvariantCulture) : ""),
                new Text(Bytes(peer.RxBytes)), new Text(Bytes(peer.TxBytes)),
                new Text(peer.LastHandshake?.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "never"));
        console.Write(table);
    }

    private static string Bytes(long bytes) => bytes switch
    {
        < 1 << 10 => $"{bytes} B",
        < 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.0} KiB"),
        < 1 << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.0} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1073741824.0:0.00} GiB"),
    };
}
