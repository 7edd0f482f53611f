using System.CommandLine;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>status.</summary>
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
}
