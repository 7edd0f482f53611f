using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>nodes, and nodes list.</summary>
internal static class NodesCommand
{
    public static Command Create(Terminal terminal) => new("nodes", "The machines of a network") 
    {
        List(terminal), ApproveCommand.Create(terminal), NodeVerbs.Show(terminal), NodeVerbs.Rename(terminal), NodeVerbs.Expire(terminal), NodeVerbs.Tag(terminal), NodeVerbs.Delete(terminal),
    };

    private static Command List(Terminal terminal)
    {
        var network = CommonOptions.Network();
        return AdminVerb.Create(
            "list", "Lists the machines of a network, and those that wait to be let in.", "nodes list --state-dir /var/lib/mesh-coordinator --json", terminal,
            async (client, line, json, cancellation) =>
            {
                string name = line.GetValue(network)!;
                var nodes = await client.ListAsync(Paths.Nodes(name), AdminJson.Default.ListModelNodeModel, cancellation);
                var waiting = await client.GetAsync(Paths.Waiting(name), AdminJson.Default.ListModelWaitingMachineModel, cancellation);
                if (json)
                {
                    terminal.Json(new NodesOutput(nodes.Items, waiting.Items), AdminJson.Default.NodesOutput);
                    return ExitCode.Ok;
                }
                terminal.Table(
                    ["NAME", "ADDRESSES", "STATE", "ONLINE", "LAST SEEN", "USER", "TAGS", "EXPIRES", "ID"],
                    [.. nodes.Items.OrderBy(n => n.Name, StringComparer.Ordinal).Select(n => new[]
                    {
                        n.Name, string.Join(' ', n.Addresses), n.State, n.Online ? "yes" : "no", Terminal.Time(n.LastSeen),
                        n.User ?? "-", n.Tags.Count == 0 ? "-" : string.Join(' ', n.Tags),
                        Terminal.Time(n.ExpiresAt, "never") + (n.ExpiresSoon ? " (soon)" : ""), n.Id.ToString(CultureInfo.InvariantCulture),
                    })],
                    "no machines yet; 'mesh-coordinator keys create' prints a link to join one with");
                if (waiting.Items.Count > 0)
                {
                    terminal.Line("");
                    ApproveCommand.Print(terminal, waiting.Items);
                }
                if (nodes.Items.Count(n => n.ExpiresSoon) is > 0 and var soon)
                    terminal.Note($"{soon} machine(s) will expire within 14 days; 'nodes expire NODE --in 180d' gives one more time");
                return ExitCode.Ok;
            },
            network);
    }
}
