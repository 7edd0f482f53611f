using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>keys create | list | revoke.</summary>
internal static class KeysCommand
{
    public static Command Create(Terminal terminal) => new("keys", "Pre-auth keys: what lets machines join")
    {
        CreateKey(terminal), List(terminal), Revoke(terminal),
    };

    private static Command CreateKey(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var user = new Option<string?>("--user") { Description = "The user whom the machines will belong to, from 'users list'", HelpName = "NAME" };
        var tags = new Option<string[]>("--tag") { Description = "A tag that the machines will have, tag:NAME; may be repeated. Tagged machines belong to nobody", HelpName = "TAG" };
        var reusable = new Option<bool>("--reusable") { Description = "Lets in more than one machine" };
        var ephemeral = new Option<bool>("--ephemeral") { Description = "Machines are deleted when they leave" };
        var preApproved = new Option<bool>("--pre-approved") { Description = "Its machines need no approval where the network asks for it" };
        var expires = new Option<string>("--expires")
        {
            Description = "How long the key is good: 90m, 24h, 7d, or never", DefaultValueFactory = _ => "24h", HelpName = "TIME",
        };
        return AdminVerb.Create(
            "create", "Makes a key and prints the join link, alone on stdout. The link holds a secret and is shown this once.",
            "keys create --state-dir /var/lib/mesh-coordinator --reusable --expires 7d", terminal,
            async (client, line, json, cancellation) =>
            {
                var model = new CreateKeyModel
                {
                    User = line.GetValue(user), Tags = line.GetValue(tags), Reusable = line.GetValue(reusable),
                    Ephemeral = line.GetValue(ephemeral), PreApproved = line.GetValue(preApproved), ExpiresInSeconds = ParseLifetime(line.GetValue(expires)!),
                };
                var created = await client.SendAsync(
                    HttpMethod.Post, Paths.Keys(line.GetValue(network)!), model, AdminJson.Default.CreateKeyModel,
                    AdminJson.Default.CreatedKeyModel, cancellation);
                if (json) terminal.Json(created, AdminJson.Default.CreatedKeyModel);
                else terminal.Line(created.Link);
                return ExitCode.Ok;
            },
            network, user, tags, reusable, ephemeral, preApproved, expires);
    }

    private static Command List(Terminal terminal)
    {
        var network = CommonOptions.Network();
        return AdminVerb.Create(
            "list", "Lists the keys of a network, without their secrets.", "keys list --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var keys = await client.ListAsync(Paths.Keys(line.GetValue(network)!), AdminJson.Default.ListModelKeyModel, cancellation);
                if (json) terminal.Json(keys, AdminJson.Default.ListModelKeyModel);
                else
                {
                    terminal.Table(
                        ["ID", "STATUS", "KIND", "USES", "USER", "TAGS", "CREATED", "EXPIRES"],
                        [.. keys.Items.Select(k => new[]
                        {
                            k.Id.ToString(CultureInfo.InvariantCulture), k.Status,
                            (k.Reusable ? "reusable" : "single-use") + (k.Ephemeral ? ", ephemeral" : "") + (k.PreApproved ? ", pre-approved" : ""),
                            k.Uses.ToString(CultureInfo.InvariantCulture), k.User ?? "-", k.Tags.Count == 0 ? "-" : string.Join(' ', k.Tags),
                            Terminal.Time(k.CreatedAt), Terminal.Time(k.ExpiresAt, "never"),
                        })],
                        "no keys yet; 'mesh-coordinator keys create' makes one");
                }
                return ExitCode.Ok;
            },
            network);
    }

    private static Command Revoke(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var id = new Argument<ulong>("ID") { Description = "The key's number, from 'keys list'" };
        return AdminVerb.Create(
            "revoke", "Ends a key. Machines that it let in stay.", "keys revoke 3 --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var key = await client.PostAsync(
                    $"{Paths.Keys(line.GetValue(network)!)}/{line.GetValue(id)}/revoke", AdminJson.Default.KeyModel, cancellation);
                if (json) terminal.Json(key, AdminJson.Default.KeyModel);
                else terminal.Line($"key {key.Id} is revoked");
                return ExitCode.Ok;
            },
            network, id);
    }

    /// <summary>Seconds; 0 for never.</summary>
    internal static long ParseLifetime(string text, string option = "--expires", bool allowNever = true)
    {
        if (text == "never" && allowNever) return 0;
        long unit = text.Length < 2 ? 0 : text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => 0 };
        if (unit == 0 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number == 0)
            throw new CliFailure(ExitCode.Usage, $"{option} does not take '{text}'", "say a number and s, m, h or d, such as 24h" + (allowNever ? "; or never" : ""));
        return number * unit;
    }
}
