using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>log list | export | erase, beside verify.</summary>
internal static class LogCommand
{
    public static Command Create(Terminal terminal) => new("log", "The log: who changed what, and when") 
    {
        List(terminal), Export(terminal), LogVerifyCommand.Create(terminal), Erase(terminal),
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
                    if (events.Next is { } next) terminal.Note($"there are more; go on with --after {next}");
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

    private static Command Erase(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var user = new Option<string?>("--user") { Description = "A deleted person, by any login that he had", HelpName = "NAME" };
        var node = new Option<ulong?>("--node") { Description = "The id of a deleted machine", HelpName = "ID" };
        var yes = Confirmation.Yes();
        return AdminVerb.Create(
            "erase", "Erases for good what the log says of a person or a deleted machine, after asking. The log still verifies, and tells that something was erased. Backups made before keep what they hold.",
            "log erase --user ann --yes --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var model = new EraseModel { User = line.GetValue(user), Node = line.GetValue(node) };
                if ((model.User is null) == (model.Node is null))
                    throw new CliFailure(ExitCode.Usage, "log erase takes one of --user and --node; nothing was changed");
                if (!Confirmation.Given(terminal, line.GetValue(yes), "log erase",
                    $"Erase what the log says of {(model.User is null ? $"node {model.Node}" : model.User)}? Nothing brings it back.")) return ExitCode.Usage;
                var erased = await client.SendAsync(
                    HttpMethod.Post, Paths.Log(line.GetValue(network)!) + "/erase", model, AdminJson.Default.EraseModel,
                    AdminJson.Default.ErasedModel, cancellation);
                if (json) terminal.Json(erased, AdminJson.Default.ErasedModel);
                else terminal.Line($"{erased.Positions.Count} events erased");
                return ExitCode.Ok;
            },
            network, user, node, yes);
    }
}
