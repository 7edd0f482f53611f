using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>tokens create | list | revoke.</summary>
internal static class TokensCommand
{
    public static Command Create(Terminal terminal) => new("tokens", "Admin tokens: what lets somebody administer this coordinator from elsewhere")
    {
        CreateToken(terminal), List(terminal), Revoke(terminal),
    };

    private static Command CreateToken(Terminal terminal)
    {
        var name = new Argument<string>("NAME") { Description = "Whom the log names: 1 to 64 of letters, digits and . _ @ -" };
        var expires = new Option<string>("--expires")
        {
            Description = "How long the token is good: 90m, 24h, 90d, or never", DefaultValueFactory = _ => "90d", HelpName = "TIME",
        };
        return AdminVerb.Create(
            "create", """
            Makes an admin token and prints it, alone on stdout, this once. It may do everything on this coordinator; keep it in
            a file of mode 0600. On the other machine every admin verb then takes --coordinator and --token-file:
              mesh-coordinator status --coordinator mesh://HOST:PORT/PIN --token-file FILE
            """,
            "tokens create alice-laptop --expires 30d --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var model = new CreateTokenModel(line.GetRequiredValue(name)) { ExpiresInSeconds = KeysCommand.ParseLifetime(line.GetValue(expires)!) };
                var created = await client.SendAsync(
                    HttpMethod.Post, Paths.Tokens, model, AdminJson.Default.CreateTokenModel, AdminJson.Default.CreatedTokenModel, cancellation);
                if (json)
                {
                    terminal.Json(created, AdminJson.Default.CreatedTokenModel);
                    return ExitCode.Ok;
                }
                terminal.Line(created.Secret);
                terminal.Note(created.Address is { } address
                    ? $"on the other machine, with the line above in FILE: mesh-coordinator status --coordinator {address} --token-file FILE"
                    : "this coordinator serves no administrators over the network yet: start it with --admin-listen ADDR:PORT");
                return ExitCode.Ok;
            },
            name, expires);
    }

    private static Command List(Terminal terminal) => AdminVerb.Create(
        "list", "Lists the admin tokens, those that ended too, without their secrets.", "tokens list --state-dir /var/lib/mesh-coordinator", terminal,
        async (client, _, json, cancellation) =>
        {
            var tokens = await client.ListAsync(Paths.Tokens, AdminJson.Default.ListModelTokenModel, cancellation);
            if (json) terminal.Json(tokens, AdminJson.Default.ListModelTokenModel);
            else
            {
                terminal.Table(
                    ["ID", "NAME", "STATUS", "CREATED", "BY", "EXPIRES"],
                    [.. tokens.Items.Select(t => new[]
                    {
                        t.Id.ToString(CultureInfo.InvariantCulture), t.Name, t.RevokedBy is { } by ? $"{t.Status} by {by}" : t.Status,
                        Terminal.Time(t.CreatedAt), t.CreatedBy, Terminal.Time(t.ExpiresAt, "never"),
                    })],
                    "no admin tokens; 'mesh-coordinator tokens create NAME' makes one");
            }
            return ExitCode.Ok;
        });

    private static Command Revoke(Terminal terminal)
    {
        var id = new Argument<ulong>("ID") { Description = "The token's number, from 'tokens list'" };
        return AdminVerb.Create(
            "revoke", "Ends an admin token, at once.", "tokens revoke 2 --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var token = await client.PostAsync($"{Paths.Tokens}/{line.GetValue(id)}/revoke", AdminJson.Default.TokenModel, cancellation);
                if (json) terminal.Json(token, AdminJson.Default.TokenModel);
                else terminal.Line($"token {token.Id} ({token.Name}) is revoked");
                return ExitCode.Ok;
            },
            id);
    }
}
