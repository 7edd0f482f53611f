using System.CommandLine;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>status, root show.</summary>
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
            terminal.Line($"admin    {status.AdminAddress ?? "on this machine only; serve with --admin-listen for more"}");
            terminal.Line($"root key {(status.RootKeyHeld ? "here" : "elsewhere")}, issuer good until {Terminal.Time(status.IssuerExpires)}");
            NetworksCommand.Print(terminal, status.Networks);
            return ExitCode.Ok;
        });

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
}
