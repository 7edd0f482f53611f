using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>nodes show | rename | expire | tag | delete.</summary>
internal static class NodeVerbs
{
    public static Command Show(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var node = NodeArgument();
        return AdminVerb.Create(
            "show", "Prints all that is known of a machine.", "nodes show web --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var found = await client.GetAsync(Paths.Node(line.GetValue(network)!, line.GetRequiredValue(node)), AdminJson.Default.NodeModel, cancellation);
                if (json) terminal.Json(found, AdminJson.Default.NodeModel);
                else Print(terminal, found);
                return ExitCode.Ok;
            },
            network, node);
    }

    public static Command Rename(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var node = NodeArgument();
        var name = new Argument<string>("NEW-NAME") { Description = "1 to 63 of a-z, 0-9 and '-'" };
        return AdminVerb.Create(
            "rename", "Gives a machine another name. The old one is free at once.", "nodes rename web web-old --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var renamed = await client.SendAsync(
                    HttpMethod.Post, Paths.Node(line.GetValue(network)!, line.GetRequiredValue(node)) + "/rename",
                    new RenameNodeModel(line.GetRequiredValue(name)), AdminJson.Default.RenameNodeModel, AdminJson.Default.NodeModel, cancellation);
                Say(terminal, renamed, json, $"node {renamed.Id} is {renamed.Name}");
                return ExitCode.Ok;
            },
            network, node, name);
    }

    public static Command Expire(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var node = NodeArgument();
        var when = new Option<string>("--in")
        {
            Description = "When: now, 90m, 24h, 30d, or never", DefaultValueFactory = _ => "now", HelpName = "TIME",
        };
        return AdminVerb.Create(
            "expire", "Sets when a machine's authorisation ends. It keeps its name and addresses, and comes back with a new key; a later end, or never, lets it back in.",
            "nodes expire web --in 30d --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                string text = line.GetValue(when)!;
                long? seconds = text == "now" ? 0 : text == "never" ? null : KeysCommand.ParseLifetime(text, "--in", allowNever: true);
                var changed = await client.SendAsync(
                    HttpMethod.Post, Paths.Node(line.GetValue(network)!, line.GetRequiredValue(node)) + "/expire", new ExpireNodeModel(seconds),
                    AdminJson.Default.ExpireNodeModel, AdminJson.Default.NodeModel, cancellation);
                Say(terminal, changed, json, changed.ExpiresAt is null ? $"node {changed.Name} never expires" : $"node {changed.Name} expires at {Terminal.Time(changed.ExpiresAt)}");
                return ExitCode.Ok;
            },
            network, node, when);
    }

    public static Command Tag(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var node = NodeArgument();
        var tags = new Argument<string[]>("TAG") { Description = "tag:NAME, one or more; they replace those it has", Arity = ArgumentArity.OneOrMore };
        return AdminVerb.Create(
            "tag", "Gives a machine tags in place of those it has. It then belongs to nobody, and its authorisation has no end.",
            "nodes tag web tag:web tag:prod --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var tagged = await client.SendAsync(
                    HttpMethod.Post, Paths.Node(line.GetValue(network)!, line.GetRequiredValue(node)) + "/tag", new TagNodeModel(line.GetRequiredValue(tags)),
                    AdminJson.Default.TagNodeModel, AdminJson.Default.NodeModel, cancellation);
                Say(terminal, tagged, json, $"node {tagged.Name} has {string.Join(' ', tagged.Tags)}");
                return ExitCode.Ok;
            },
            network, node, tags);
    }

    public static Command Delete(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var node = NodeArgument();
        var yes = Confirmation.Yes();
        return AdminVerb.Create(
            "delete", "Deletes a machine, after asking. Its id is never used again; its name and addresses are free.",
            "nodes delete web --yes --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                string path = Paths.Node(line.GetValue(network)!, line.GetRequiredValue(node));
                var (present, tag) = await client.GetTaggedAsync(path, AdminJson.Default.NodeModel, cancellation);
                if (!Confirmation.Given(terminal, line.GetValue(yes), "nodes delete",
                    $"Delete {present.Name} ({string.Join(' ', present.Addresses)}, {(present.Online ? "online" : "offline")})?")) return ExitCode.Usage;
                // By its id, since the name may be another's by now; and, when somebody looked, only as it was shown.
                var deleted = await client.DeleteAsync(
                    Paths.Node(line.GetValue(network)!, present.Id.ToString(CultureInfo.InvariantCulture)), AdminJson.Default.NodeModel, cancellation,
                    line.GetValue(yes) ? null : tag);
                Say(terminal, deleted, json, $"node {deleted.Name} is deleted");
                return ExitCode.Ok;
            },
            network, node, yes);
    }

    private static Argument<string> NodeArgument() => new("NODE") { Description = "A machine's name or id, from 'nodes list'" };

    private static void Say(Terminal terminal, NodeModel node, bool json, string text)
    {
        if (json) terminal.Json(node, AdminJson.Default.NodeModel);
        else terminal.Line(text);
    }

    private static void Print(Terminal terminal, NodeModel node)
    {
        (string Label, string Value)[] rows =
        [
            ("name", node.Name), ("id", node.Id.ToString(CultureInfo.InvariantCulture)), ("state", node.State), ("online", node.Online ? "yes" : "no"),
            ("last seen", Terminal.Time(node.LastSeen, "not since the coordinator started")), ("addresses", string.Join(' ', node.Addresses)),
            ("endpoints", node.Endpoints.Count == 0 ? "-" : string.Join(' ', node.Endpoints)), ("user", node.User ?? "-"),
            ("tags", node.Tags.Count == 0 ? "-" : string.Join(' ', node.Tags)), ("ephemeral", node.Ephemeral ? "yes" : "no"),
            ("created", Terminal.Time(node.CreatedAt)), ("expires", Terminal.Time(node.ExpiresAt, "never")),
            ("let in by", node.PreAuthKeyId == 0 ? "an administrator" : $"pre-auth key {node.PreAuthKeyId}"), ("host", Host(node)),
            ("node key", $"{node.NodeKey} since {Terminal.Time(node.KeyChangedAt)}{(node.KeyRotating ? ", changing" : "")}"), ("machine key", node.MachineKey),
        ];
        foreach (var (label, value) in rows) terminal.Line($"{label,-12} {value}");
    }

    private static string Host(NodeModel node) => string.Join(' ', new[]
    {
        node.Hostname, node.Os, node.OsVersion, node.Architecture, node.MeshVersion.Length == 0 ? "" : $"mesh {node.MeshVersion}",
    }.Where(part => part.Length > 0));
}
