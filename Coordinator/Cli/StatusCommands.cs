using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>status, networks list, root show.</summary>
internal static class StatusCommands
{
    public static Command Status(Terminal terminal) => AdminVerb.Create(
        "status", "Says how the coordinator is.", "status --state-dir /var/lib/mesh-coordinator", terminal,
        async (client, _, json, cancellation) =>
        {
            var status = await client.GetAsync(Paths.Status, AdminJson.Default.StatusModel, cancellation);
            if (json)
            {
                terminal.Json(status, AdminJson.Default.StatusModel);
                return ExitCode.Ok;
            }
            terminal.Line($"mesh-coordinator {status.Version}, state in {status.StateDirectory}");
            terminal.Line($"address  {status.Address}");
            terminal.Line($"root key {(status.RootKeyHeld ? "here" : "elsewhere")}, issuer good until {Terminal.Time(status.IssuerExpires)}");
            Print(terminal, status.Networks);
            return ExitCode.Ok;
        });

    public static Command Networks(Terminal terminal) => new("networks", "The networks of a coordinator")
    {
        AdminVerb.Create(
            "list", "Lists the networks.", "networks list --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, _, json, cancellation) =>
            {
                var networks = await client.GetAsync(Paths.Networks, AdminJson.Default.ListModelNetworkModel, cancellation);
                if (json) terminal.Json(networks, AdminJson.Default.ListModelNetworkModel);
                else Print(terminal, networks.Items);
                return ExitCode.Ok;
            }),
    };

    public static Command Root(Terminal terminal) => new("root", "The root key that the pin names")
    {
        AdminVerb.Create(
            "show", "Prints the pin: what join links carry, and all that nodes trust.", "root show --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, _, json, cancellation) =>
            {
                var root = await client.GetAsync(Paths.Root, AdminJson.Default.RootModel, cancellation);
                if (json) terminal.Json(root, AdminJson.Default.RootModel);
                else terminal.Line(root.Pin);
                return ExitCode.Ok;
            }),
    };

    private static void Print(Terminal terminal, IReadOnlyList<NetworkModel> networks) => terminal.Table(
        ["NETWORK", "POLICY", "NODES", "ONLINE", "POSITION", "IPV4", "IPV6"],
        [.. networks.Select(n => new[]
        {
            n.Name, n.Policy, n.Nodes.ToString(CultureInfo.InvariantCulture), n.Online.ToString(CultureInfo.InvariantCulture),
            n.Position.ToString(CultureInfo.InvariantCulture), n.Ipv4Pool, n.Ipv6Prefix,
        })],
        "no networks");
}
