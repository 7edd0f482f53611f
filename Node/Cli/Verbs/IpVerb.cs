using System.CommandLine;
using Mesh.Node.LocalApi;

namespace Mesh.Node.Cli.Verbs;

/// <summary><c>mesh ip</c>: the addresses of this machine, or of a peer.</summary>
internal static class IpVerb
{
    public static Command Create(CommandStreams streams)
    {
        var host = new Argument<string?>("HOST") { Description = "A peer; left out: this machine", Arity = ArgumentArity.ZeroOrOne };
        var socket = SharedOptions.Socket();
        var json = SharedOptions.Json();
        var command = new Command("ip", "Prints mesh addresses, one a line.\n\nExample:\n  mesh ip\n  mesh ip build-7")
        {
            host, socket, json,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            var done = await LocalClient.AskAsync(parsed.GetRequiredValue(socket), new LocalRequest(LocalRequest.StatusVerb), null, cancel)
                .ConfigureAwait(false);
            var found = Find(done.Status!, parsed.GetValue(host));
            if (parsed.GetValue(json)) await streams.Output.WriteLineAsync(OutputJson.Text(found)).ConfigureAwait(false);
            else foreach (string address in found.Addresses) await streams.Output.WriteLineAsync(address).ConfigureAwait(false);
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static AddressesOutput Find(NodeStatus status, string? host)
    {
        if (status.Self.Name is not { } name)
            throw new UserException(ExitCode.NotUp, "this machine has no mesh address yet", "Join a network: mesh up LINK");
        if (host is null || string.Equals(host, name, StringComparison.OrdinalIgnoreCase)) return new AddressesOutput(name, status.Self.Addresses);
        var peer = status.Peers.FirstOrDefault(peer => string.Equals(peer.Name, host, StringComparison.OrdinalIgnoreCase));
        return peer is not null
            ? new AddressesOutput(peer.Name, peer.Addresses)
            : throw new UserException(ExitCode.UnknownPeer, $"no peer '{host}' that this machine may see", "List the peers with: mesh status");
    }
}
