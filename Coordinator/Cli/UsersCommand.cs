using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>users create | list | show | rename | delete.</summary>
internal static class UsersCommand
{
    public static Command Create(Terminal terminal) => new("users", "The people of a network, to whom machines belong")
    {
        CreateUser(terminal), List(terminal), Show(terminal), Rename(terminal), Delete(terminal),
    };

    private static Command CreateUser(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var name = new Argument<string>("NAME") { Description = "The login, such as ann or ann@example.com: a-z, 0-9 and . _ + - @" };
        var displayName = new Option<string?>("--display-name") { Description = "A label that is shown", HelpName = "TEXT" };
        var email = new Option<string?>("--email") { Description = "A policy may name the person by it, as by the login", HelpName = "ADDRESS" };
        return AdminVerb.Create(
            "create", "Adds a person. Machines join as his with a key made for him (keys create --user), or when they are approved for him (nodes approve --user).",
            "users create ann --email ann@example.com --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var model = new CreateUserModel(line.GetRequiredValue(name)) { DisplayName = line.GetValue(displayName), Email = line.GetValue(email) };
                var user = await client.SendAsync(
                    HttpMethod.Post, Paths.Users(line.GetValue(network)!), model, AdminJson.Default.CreateUserModel, AdminJson.Default.UserModel, cancellation);
                Say(terminal, user, json, $"user {user.Name} is created");
                return ExitCode.Ok;
            },
            network, name, displayName, email);
    }

    private static Command List(Terminal terminal)
    {
        var network = CommonOptions.Network();
        return AdminVerb.Create(
            "list", "Lists the people of a network.", "users list --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var users = await client.ListAsync(Paths.Users(line.GetValue(network)!), AdminJson.Default.ListModelUserModel, cancellation);
                if (json) terminal.Json(users, AdminJson.Default.ListModelUserModel);
                else
                {
                    terminal.Table(
                        ["NAME", "DISPLAY NAME", "E-MAIL", "MACHINES", "CREATED", "ID"],
                        [.. users.Items.OrderBy(u => u.Name, StringComparer.Ordinal).Select(u => new[]
                        {
                            u.Name, u.DisplayName ?? "-", u.Email ?? "-", u.Nodes.ToString(CultureInfo.InvariantCulture), Terminal.Time(u.CreatedAt),
                            u.Id.ToString(CultureInfo.InvariantCulture),
                        })],
                        "no users yet; 'mesh-coordinator users create NAME' makes one");
                }
                return ExitCode.Ok;
            },
            network);
    }

    private static Command Show(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var user = UserArgument();
        return AdminVerb.Create(
            "show", "Prints what is known of a person.", "users show ann --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var found = await client.GetAsync(Paths.User(line.GetValue(network)!, line.GetRequiredValue(user)), AdminJson.Default.UserModel, cancellation);
                if (json)
                {
                    terminal.Json(found, AdminJson.Default.UserModel);
                    return ExitCode.Ok;
                }
                var nodes = await client.ListAsync(Paths.Nodes(line.GetValue(network)!), AdminJson.Default.ListModelNodeModel, cancellation);
                (string Label, string Value)[] rows =
                [
                    ("name", found.Name), ("id", found.Id.ToString(CultureInfo.InvariantCulture)), ("display name", found.DisplayName ?? "-"),
                    ("e-mail", found.Email ?? "-"), ("created", Terminal.Time(found.CreatedAt)),
                    ("machines", found.Nodes == 0 ? "-" : string.Join(' ', nodes.Items.Where(n => n.User == found.Name).Select(n => n.Name).Order(StringComparer.Ordinal))),
                ];
                foreach (var (label, value) in rows) terminal.Line($"{label,-13} {value}");
                return ExitCode.Ok;
            },
            network, user);
    }

    private static Command Rename(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var user = UserArgument();
        var name = new Argument<string>("NEW-NAME") { Description = "The new login" };
        return AdminVerb.Create(
            "rename", "Gives a person another login. His machines and keys stay his; a policy that names the old login no longer means him.",
            "users rename ann ann.miller --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var renamed = await client.SendAsync(
                    HttpMethod.Post, Paths.User(line.GetValue(network)!, line.GetRequiredValue(user)) + "/rename", new RenameUserModel(line.GetRequiredValue(name)),
                    AdminJson.Default.RenameUserModel, AdminJson.Default.UserModel, cancellation);
                Say(terminal, renamed, json, $"user {renamed.Id} is {renamed.Name}");
                return ExitCode.Ok;
            },
            network, user, name);
    }

    private static Command Delete(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var user = UserArgument();
        var withNodes = new Option<bool>("--with-nodes") { Description = "Delete the person's machines too; without it, a person who has any is not deleted" };
        var yes = Confirmation.Yes();
        return AdminVerb.Create(
            "delete", "Deletes a person, after asking, and revokes the keys made for him. Refused while machines belong to him, unless --with-nodes; tagged machines belong to nobody and stay. 'log erase --user' then erases what the log says of him.",
            "users delete ann --with-nodes --yes --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var (present, tag) = await client.GetTaggedAsync(
                    Paths.User(line.GetValue(network)!, line.GetRequiredValue(user)), AdminJson.Default.UserModel, cancellation);
                bool nodes = line.GetValue(withNodes);
                string what = nodes && present.Nodes > 0 ? $"{present.Name} and {present.Nodes} machine(s)" : present.Name;
                if (!Confirmation.Given(terminal, line.GetValue(yes), "users delete", $"Delete {what}?")) return ExitCode.Usage;
                var deleted = await client.DeleteAsync(
                    $"{Paths.User(line.GetValue(network)!, present.Id.ToString(CultureInfo.InvariantCulture))}?withNodes={(nodes ? 1 : 0)}",
                    AdminJson.Default.UserModel, cancellation, line.GetValue(yes) ? null : tag);
                Say(terminal, deleted, json, $"user {deleted.Name} is deleted" + (nodes && deleted.Nodes > 0 ? $", with {deleted.Nodes} machine(s)" : ""));
                return ExitCode.Ok;
            },
            network, user, withNodes, yes);
    }

    private static Argument<string> UserArgument() => new("USER") { Description = "A person's login or id, from 'users list'" };

    private static void Say(Terminal terminal, UserModel user, bool json, string text)
    {
        if (json) terminal.Json(user, AdminJson.Default.UserModel);
        else terminal.Line(text);
    }
}
