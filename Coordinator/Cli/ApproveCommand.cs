using System.CommandLine;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>nodes approve.</summary>
internal static class ApproveCommand
{
    public static Command Create(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var machine = new Argument<string?>("CODE")
        {
            Description = "What 'mesh up' shows on the machine, or the name of one that joined with a key and waits; without it, lists those that wait",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var user = new Option<string?>("--user") { Description = "The user whom the machine will belong to", HelpName = "NAME" };
        var tags = new Option<string[]>("--tag") { Description = "A tag that it will have, tag:NAME; may be repeated. A tagged machine belongs to nobody", HelpName = "TAG" };
        return AdminVerb.Create(
            "approve", "Lets a waiting machine in, and it goes on by itself. Make sure of the code with whoever sits there: a machine's name says nothing.",
            "nodes approve 7KQM-2XHP --user ann --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                if (line.GetValue(machine) is not { } wanted)
                {
                    if (line.GetValue(user) is not null || line.GetValue(tags) is { Length: > 0 })
                        throw new CliFailure(ExitCode.Usage, "nodes approve with --user or --tag takes the code of a machine; nothing was changed");
                    var waiting = await client.GetAsync(Paths.Waiting(line.GetValue(network)!), AdminJson.Default.ListModelWaitingMachineModel, cancellation);
                    if (json) terminal.Json(waiting, AdminJson.Default.ListModelWaitingMachineModel);
                    else Print(terminal, waiting.Items);
                    return ExitCode.Ok;
                }
                var node = await client.SendAsync(
                    HttpMethod.Post, Paths.Approve(line.GetValue(network)!), new ApproveModel(wanted) { User = line.GetValue(user), Tags = line.GetValue(tags) },
                    AdminJson.Default.ApproveModel, AdminJson.Default.NodeModel, cancellation);
                if (json) terminal.Json(node, AdminJson.Default.NodeModel);
                else terminal.Line($"node {node.Name} is in: {string.Join(' ', node.Addresses)}, {Whose(node)}");
                return ExitCode.Ok;
            },
            network, machine, user, tags);
    }

    public static void Print(Terminal terminal, IReadOnlyList<WaitingMachineModel> machines) => terminal.Table(
        ["WAITING", "HOST NAME", "SYSTEM", "FROM", "SINCE", "KNOWN AS", "FOR"],
        [.. machines.Select(m => new[]
        {
            m.Code, m.Hostname, $"{m.Os} {m.Architecture}".Trim(), m.Source, Terminal.Time(m.Since), m.Node ?? "-",
            m.Tags.Count > 0 ? string.Join(' ', m.Tags) : m.User ?? "-",
        })],
        "no machine waits to be let in");

    private static string Whose(NodeModel node) =>
        (node.Tags.Count > 0 ? string.Join(' ', node.Tags) : node.User is { } user ? $"belongs to {user}" : "belongs to nobody")
        + (node.ExpiresAt is { } end ? $", until {Terminal.Time(end)}" : "");
}
