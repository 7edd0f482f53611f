using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>nodes, and nodes list.</summary>
internal static class NodesCommand
{
    public static Command Create(Terminal terminal) => new("nodes", "The machines of a network") 
    {
        List(terminal), NodeVerbs.Show(terminal), NodeVerbs.Rename(terminal), NodeVerbs.Expire(terminal), NodeVerbs.Delete(terminal),
    };

    private static Command List(Terminal terminal)
    {
        var network = CommonOptions.Network();
        return AdminVerb.Create(
            "list", "Lists the machines of a network.", "nodes list --state-dir /var/lib/mesh-coordinator --json", terminal,
            async (client, line, json, cancellation) =>
            {
                var nodes = await client.ListAsync(Paths.Nodes(line.GetValue(network)!), AdminJson.Default.ListModelNodeModel, cancellation);
                if (json) terminal.Json(nodes, AdminJson.Default.ListModelNodeModel);
                else
                {
                    terminal.Table(
                        ["NAME", "ADDRESSES", "STATE", "ONLINE", "LAST SEEN", "USER", "TAGS", "EXPIRES", "ID"],
                        [.. nodes.Items.OrderBy(n => n.Name, StringComparer.Ordinal).Select(n => new[]
                        {
                            n.Name, string.Join(' ', n.Addresses), n.State, n.Online ? "yes" : "no", Terminal.Time(n.LastSeen),
                            n.User ?? "-", n.Tags.Count == 0 ? "-" : string.Join(' ', n.Tags), Terminal.Time(n.ExpiresAt, "never"),
                            n.Id.ToString(CultureInfo.InvariantCulture),
                        })],
                        "no machines yet; 'mesh-coordinator keys create' prints a link to join one with");
                }
                return ExitCode.Ok;
            },
            network);
    }
}
