using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>log list | export | verify.</summary>
internal static class LogCommand
{
    public static Command Create(Terminal terminal) => new("log", "The log: who changed what, and when") 
    {
        List(terminal), Export(terminal), Verify(terminal),
    };

    private static Command List(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var filter = new LogFilter(LogQuery.MaxEvents);
        return AdminVerb.Create(
            "list", "Lists a network's events, oldest first.", "log list --state-dir /var/lib/mesh-coordinator --since 24h --actor admin", terminal,
            async (client, line, json, cancellation) =>
            {
                var events = await client.GetAsync(
                    Paths.Log(line.GetValue(network)!) + filter.Query(line), AdminJson.Default.ListModelEventModel, cancellation);
                if (json) terminal.Json(events, AdminJson.Default.ListModelEventModel);
                else
                {
                    terminal.Table(
                        ["POSITION", "TIME", "WHO", "WHAT"],
                        [.. events.Items.Select(e => new[]
                        {
                            e.Position.ToString(CultureInfo.InvariantCulture), Terminal.Time(e.Time), e.Actor, e.What,
                        })],
                        "no such events");
                    if (events.Items.Count == LogQuery.MaxEvents) terminal.Note($"more may follow: --after {events.Items[^1].Position}");
                }
                return ExitCode.Ok;
            },
            [network, .. filter.Symbols]);
    }

    private static Command Export(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var filter = new LogFilter(int.MaxValue);
        return AdminVerb.Create(
            "export", "Prints a network's events as JSON lines, with all that they say.",
            "log export --state-dir /var/lib/mesh-coordinator > log.jsonl", terminal,
            async (client, line, _, cancellation) =>
            {
                await client.CopyAsync(Paths.Log(line.GetValue(network)!) + "/export" + filter.Query(line), terminal.Output, cancellation);
                return ExitCode.Ok;
            },
            [network, .. filter.Symbols]);
    }

    private static Command Verify(Terminal terminal)
    {
        var network = CommonOptions.Network();
        return AdminVerb.Create(
            "verify", "Checks every event of a network's log, as it stands on disk, against its chain and its signed heads. Exits 1 when something is wrong.",
            "log verify --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var found = await client.PostAsync(
                    Paths.Log(line.GetValue(network)!) + "/verify", AdminJson.Default.VerificationModel, cancellation);
                if (json) terminal.Json(found, AdminJson.Default.VerificationModel);
                else Print(terminal, found);
                return found.Valid ? ExitCode.Ok : ExitCode.Refused;
            },
            network);
    }

    private static void Print(Terminal terminal, VerificationModel found)
    {
        if (found.Valid)
        {
            terminal.Line($"the log of network {found.Network} is whole: {found.Events} events under {found.Heads} signed heads, to position {found.Position}"
                + (found.Erased.Count == 0 ? "" : $"; {found.Erased.Count} erased"));
            return;
        }
        terminal.Note($"mesh-coordinator: the log of network {found.Network} is not what was written ({found.Problems.Count} problems)");
        foreach (var problem in found.Problems) terminal.Note($"  position {problem.Position}: {problem.Problem}");
        terminal.Note("  restore the network's directory from a backup, and keep the damaged file for evidence");
    }
}
