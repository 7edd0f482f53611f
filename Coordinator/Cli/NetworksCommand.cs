using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>networks create | list | set | delete | keep.</summary>
internal static class NetworksCommand
{
    public static Command Create(Terminal terminal) => new("networks", "The networks of a coordinator, each apart from the others")
    {
        CreateNetwork(terminal), List(terminal), Set(terminal), Delete(terminal), Keep(terminal),
    };

    public static void Print(Terminal terminal, IReadOnlyList<NetworkModel> networks)
    {
        terminal.Table(
            ["NETWORK", "POLICY", "NODES", "ONLINE", "POSITION", "IPV4", "IPV6", "APPROVAL", "EXPIRY", "KEY CHANGE", "STATE"],
            [.. networks.Select(n => new[]
            {
                n.Name, n.Policy, n.Nodes.ToString(CultureInfo.InvariantCulture), n.Online.ToString(CultureInfo.InvariantCulture),
                n.Position.ToString(CultureInfo.InvariantCulture), n.Ipv4Pool, n.Ipv6Prefix,
                n.ApprovalRequired ? "required" : "-", Days(n.NodeLifetimeSeconds), Days(n.KeyRotationSeconds),
                n.PurgeAt is null ? "served" : $"deleted, gone at {Terminal.Time(n.PurgeAt)}",
            })],
            "no networks; 'mesh-coordinator networks create NAME' makes one");
        foreach (var network in networks)
            if (network.PolicyProblem is { } problem) PolicyCommand.NoteProblem(terminal, network.Name, problem);
    }

    private static Command CreateNetwork(Terminal terminal)
    {
        var name = new Argument<string>("NAME") { Description = "1 to 63 of a-z, 0-9 and '-'" };
        var ipv4 = new Option<string?>("--ipv4") { Description = "Where machines get their IPv4 addresses from; 100.64.0.0/10 by default", HelpName = "PREFIX" };
        var ipv6 = new Option<string?>("--ipv6") { Description = "The same for IPv6; a random unique local /48 by default", HelpName = "PREFIX" };
        return AdminVerb.Create(
            "create", "Makes a network with a log, data key, addresses and policy (deny all) of its own.",
            "networks create staging --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var model = new CreateNetworkModel(line.GetRequiredValue(name)) { Ipv4Pool = line.GetValue(ipv4), Ipv6Prefix = line.GetValue(ipv6) };
                var made = await client.SendAsync(
                    HttpMethod.Post, Paths.Networks, model, AdminJson.Default.CreateNetworkModel, AdminJson.Default.NetworkModel, cancellation);
                if (json) terminal.Json(made, AdminJson.Default.NetworkModel);
                else terminal.Line($"network {made.Name} is made: {made.Ipv4Pool} and {made.Ipv6Prefix}, {made.Policy}");
                return ExitCode.Ok;
            },
            name, ipv4, ipv6);
    }

    private static Command List(Terminal terminal) => AdminVerb.Create(
        "list", "Lists the networks.", "networks list --state-dir /var/lib/mesh-coordinator", terminal,
        async (client, _, json, cancellation) =>
        {
            var networks = await client.ListAsync(Paths.Networks, AdminJson.Default.ListModelNetworkModel, cancellation);
            if (json) terminal.Json(networks, AdminJson.Default.ListModelNetworkModel);
            else Print(terminal, networks.Items);
            return ExitCode.Ok;
        });

    private static Command Set(Terminal terminal)
    {
        var name = new Argument<string>("NAME") { Description = "The network" };
        var approval = new Option<string?>("--approval") { Description = "on: every new machine waits for 'nodes approve', unless its key is --pre-approved; or off", HelpName = "on|off" };
        approval.AcceptOnlyFromAmong("on", "off");
        var expiry = new Option<string?>("--expiry") { Description = "How long users' machines stay authorised from now on (180d unless set): 90d, 24h, or never. 'nodes expire' changes it for one", HelpName = "TIME" };
        var rotate = new Option<string?>("--rotate-keys") { Description = "How often machines change their node key (30d unless set): 7d, 12h, or never", HelpName = "TIME" };
        return AdminVerb.Create(
            "set", "Changes what holds for all machines of a network. What is not named stays as it is.",
            "networks set default --approval on --expiry 90d --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var model = new NetworkSettingsModel
                {
                    ApprovalRequired = line.GetValue(approval) is { } text ? text == "on" : null,
                    NodeLifetimeSeconds = line.GetValue(expiry) is { } lifetime ? KeysCommand.ParseLifetime(lifetime, "--expiry") : null,
                    KeyRotationSeconds = line.GetValue(rotate) is { } interval ? KeysCommand.ParseLifetime(interval, "--rotate-keys") : null,
                };
                if (model == new NetworkSettingsModel())
                    throw new CliFailure(ExitCode.Usage, "networks set takes one of --approval, --expiry and --rotate-keys; nothing was changed");
                var changed = await client.SendAsync(
                    HttpMethod.Post, Paths.Network(line.GetRequiredValue(name)) + "/settings", model, AdminJson.Default.NetworkSettingsModel,
                    AdminJson.Default.NetworkModel, cancellation);
                if (json) terminal.Json(changed, AdminJson.Default.NetworkModel);
                else
                {
                    terminal.Line($"network {changed.Name}: approval {(changed.ApprovalRequired ? "required" : "not required")}, "
                        + $"users' machines expire {After(changed.NodeLifetimeSeconds)}, node keys change {After(changed.KeyRotationSeconds)}");
                }
                return ExitCode.Ok;
            },
            name, approval, expiry, rotate);
    }

    private static string After(long seconds) => seconds == 0 ? "never" : $"after {Days(seconds)}";

    private static string Days(long seconds) => seconds == 0 ? "never"
        : seconds % 86_400 == 0 ? $"{seconds / 86_400}d" : seconds % 3600 == 0 ? $"{seconds / 3600}h" : $"{seconds}s";

    private static Command Delete(Terminal terminal)
    {
        var name = new Argument<string>("NAME") { Description = "The network" };
        var grace = new Option<string>("--grace")
        {
            Description = "How long 'networks keep' can take it back: 90m, 24h, 7d, or 0 for not at all", DefaultValueFactory = _ => "7d", HelpName = "TIME",
        };
        var yes = Confirmation.Yes();
        return AdminVerb.Create(
            "delete", "Deletes a network, after asking. Its machines are served no longer; its log and keys are removed when the grace is over.",
            "networks delete staging --yes --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                string path = Paths.Network(line.GetRequiredValue(name));
                long seconds = line.GetValue(grace) == "0" ? 0 : KeysCommand.ParseLifetime(line.GetValue(grace)!, "--grace", allowNever: false);
                var present = await client.GetAsync(path, AdminJson.Default.NetworkModel, cancellation);
                if (!Confirmation.Given(terminal, line.GetValue(yes), "networks delete",
                    $"Network {present.Name} has {present.Nodes} machines, {present.Online} of them online. Delete it?")) return ExitCode.Usage;
                var deleted = await client.DeleteAsync($"{path}?graceSeconds={seconds}", AdminJson.Default.NetworkModel, cancellation);
                if (json) terminal.Json(deleted, AdminJson.Default.NetworkModel);
                else
                {
                    terminal.Line(seconds == 0 ? $"network {deleted.Name} is removed"
                        : $"network {deleted.Name} is deleted; until {Terminal.Time(deleted.PurgeAt)} 'networks keep {deleted.Name}' takes that back");
                }
                return ExitCode.Ok;
            },
            name, grace, yes);
    }

    private static Command Keep(Terminal terminal)
    {
        var name = new Argument<string>("NAME") { Description = "The network" };
        return AdminVerb.Create(
            "keep", "Takes the deletion of a network back while its grace lasts. Its machines come back by themselves.",
            "networks keep staging --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var kept = await client.PostAsync(Paths.Network(line.GetRequiredValue(name)) + "/keep", AdminJson.Default.NetworkModel, cancellation);
                if (json) terminal.Json(kept, AdminJson.Default.NetworkModel);
                else terminal.Line($"network {kept.Name} is served again");
                return ExitCode.Ok;
            },
            name);
    }
}
