using System.CommandLine;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Policy;

namespace Mesh.Coordinator.Cli;

/// <summary>policy get | set.</summary>
internal static class PolicyCommand
{
    public static Command Create(Terminal terminal) => new("policy", "Who may reach whom")
    {
        Get(terminal), Set(terminal), PolicyFileCommands.Check(terminal), PolicyFileCommands.Test(terminal), PolicyFileCommands.Eval(terminal),
    };

    private static Command Get(Terminal terminal)
    {
        var network = CommonOptions.Network();
        return AdminVerb.Create(
            "get", "Prints the policy of a network.", "policy get --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var policy = await client.GetAsync(Paths.Policy(line.GetValue(network)!), AdminJson.Default.PolicyModel, cancellation);
                Print(terminal, policy, json);
                return ExitCode.Ok;
            },
            network);
    }

    private static Command Set(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var allowAll = new Option<bool>("--allow-all") { Description = "Every machine reaches every other" };
        var denyAll = new Option<bool>("--deny-all") { Description = "No machine reaches another" };
        var yes = new Option<bool>("--yes") { Description = "Don't ask" };
        return AdminVerb.Create(
            "set", "Replaces the policy of a network, after asking. Without a terminal to ask on, --yes is needed: it exits 2 and changes nothing otherwise.",
            "policy set --allow-all --yes --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                if (line.GetValue(allowAll) == line.GetValue(denyAll))
                    throw new CliFailure(ExitCode.Usage, "policy set takes one of --allow-all and --deny-all; nothing was changed");
                string wanted = line.GetValue(allowAll) ? NetworkPolicy.AllowAllText : NetworkPolicy.DenyAllText;
                string path = Paths.Policy(line.GetValue(network)!);
                var (present, tag) = await client.GetTaggedAsync(path, AdminJson.Default.PolicyModel, cancellation);
                if (!line.GetValue(yes) && !MayGoOn(terminal, present.Kind!, wanted == NetworkPolicy.AllowAllText ? "allow-all" : "deny-all", line.GetValue(network)!)) return ExitCode.Usage;
                var policy = await client.SendAsync(
                    HttpMethod.Put, path, new PolicyModel(wanted), AdminJson.Default.PolicyModel, AdminJson.Default.PolicyModel, cancellation,
                    line.GetValue(yes) ? null : tag);
                Print(terminal, policy, json);
                return ExitCode.Ok;
            },
            network, allowAll, denyAll, yes);
    }

    private static bool MayGoOn(Terminal terminal, string present, string wanted, string network)
    {
        if (!terminal.IsInteractive)
            throw new CliFailure(ExitCode.Usage, "policy set needs --yes when there is no terminal to ask on; nothing was changed");
        string effect = wanted == "allow-all" ? "Every machine will reach every other." : "No machine will reach another; running flows end.";
        if (terminal.Confirm($"The policy of network {network} is {present}. Set it to {wanted}? {effect}")) return true;
        terminal.Note("nothing was changed");
        return false;
    }

    private static void Print(Terminal terminal, PolicyModel policy, bool json)
    {
        if (json) terminal.Json(policy, AdminJson.Default.PolicyModel);
        else terminal.Line(policy.Kind is "file" ? policy.Text : policy.Kind!);
    }
}
