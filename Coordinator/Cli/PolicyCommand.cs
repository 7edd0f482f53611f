using System.CommandLine;
using Mesh.Coordinator.Admin;

namespace Mesh.Coordinator.Cli;

/// <summary>policy get | set | diff | explain, and the verbs that need no coordinator.</summary>
internal static class PolicyCommand
{
    public static Command Create(Terminal terminal) => new("policy", "Who may reach whom")
    {
        Get(terminal), Set(terminal), Diff(terminal), Explain(terminal),
        PolicyFileCommands.Check(terminal), PolicyFileCommands.Test(terminal), PolicyFileCommands.Eval(terminal),
    };

    /// <summary>A later policy is not in force.</summary>
    public static void NoteProblem(Terminal terminal, string network, string problem) => terminal.Note(
        $"note: the policy last set in network {network} is not in force, and the one before it is: this version of the coordinator does not understand it: {problem}");

    private static Command Get(Terminal terminal)
    {
        var network = CommonOptions.Network();
        return AdminVerb.Create(
            "get", "Prints the policy of a network as it was given, so that it can be edited and set again. --json has its entity tag too.",
            "policy get --state-dir /var/lib/mesh-coordinator > policy.hujson", terminal,
            async (client, line, json, cancellation) =>
            {
                var policy = await client.GetAsync(Paths.Policy(line.GetValue(network)!), AdminJson.Default.PolicyModel, cancellation);
                if (json) terminal.Json(policy, AdminJson.Default.PolicyModel);
                else if (policy.Text.EndsWith('\n')) terminal.Output.Write(policy.Text);
                else terminal.Line(policy.Text);
                if (policy.Problem is { } problem) NoteProblem(terminal, line.GetValue(network)!, problem);
                return ExitCode.Ok;
            },
            network);
    }

    private static Command Set(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var policy = new PolicyArgument();
        var yes = Confirmation.Yes();
        var etag = new Option<string?>("--etag")
        {
            Description = "Only in place of the policy with this entity tag, from 'policy get --json': so that nobody's edit is lost", HelpName = "TAG",
        };
        return AdminVerb.Create(
            "set", """
            Replaces the policy of a network: checks it, runs its tests, says what it changes for whom, asks, and applies it at once or
            not at all. Refused when somebody else changed the policy meanwhile. Exits 1 when it is refused and 2 when it is not confirmed;
            without a terminal to ask on, --yes is needed: it exits 2 and changes nothing otherwise.
            """,
            "policy set policy.hujson --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                bool sure = line.GetValue(yes);
                if (policy.Read(terminal, line, "policy set", json) is not { } wanted) return ExitCode.Refused;
                Confirmation.ThrowIfNobodyToAsk(terminal, sure, "policy set");
                string name = line.GetValue(network)!;
                var effect = await TryAsync(client, name, wanted, cancellation);
                if (line.GetValue(etag) is { } known && known.Trim('"') != effect.Etag.Trim('"'))
                    throw new CliFailure(ExitCode.Refused, "somebody else has changed the policy since; nothing was changed", "see 'policy get', bring both together, and repeat");
                if (!json) Print(terminal, effect);
                if (!Confirmation.Given(terminal, sure, "policy set", $"Set this policy in network {name}?")) return ExitCode.Usage;
                var set = await client.SendAsync(
                    HttpMethod.Put, Paths.Policy(name), wanted, AdminJson.Default.SetPolicyModel, AdminJson.Default.PolicyModel, cancellation, effect.Etag);
                if (json) terminal.Json(effect with { Etag = set.Etag }, AdminJson.Default.PolicyEffectModel);
                else terminal.Line($"the policy of network {name} is set ({set.Kind})");
                return ExitCode.Ok;
            },
            [network, .. policy.Symbols, yes, etag]);
    }

    private static Command Diff(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var policy = new PolicyArgument();
        return AdminVerb.Create(
            "diff", "Says what a policy would change for whom, or why it would be refused, as 'policy set' does, and changes nothing. Exits 1 when it would be refused.",
            "policy diff policy.hujson --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                if (policy.Read(terminal, line, "policy diff", json) is not { } wanted) return ExitCode.Refused;
                var effect = await TryAsync(client, line.GetValue(network)!, wanted, cancellation);
                if (json) terminal.Json(effect, AdminJson.Default.PolicyEffectModel);
                else Print(terminal, effect);
                return ExitCode.Ok;
            },
            [network, .. policy.Symbols]);
    }

    private static Command Explain(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var source = new Argument<string>("SRC") { Description = "A machine's name or address; or ann@, group:NAME, tag:NAME for all such machines" };
        var destination = new Argument<string>("DST:PORT") { Description = "Likewise, with a port: db:5432, tag:web:443, [fd00::1]:22; no port for protocols without" };
        var protocol = new Option<string>("--protocol") { Description = "tcp, udp, icmp, another name or a number", HelpName = "NAME", DefaultValueFactory = _ => "tcp" };
        return AdminVerb.Create(
            "explain", "Says whether the policy lets SRC reach DST:PORT, by which rule and line, or why nothing does. Exits 0 whatever the answer.",
            "policy explain build-7 db:5432 --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                string path = Paths.PolicyExplanation(
                    line.GetValue(network)!, line.GetRequiredValue(source), line.GetRequiredValue(destination), line.GetRequiredValue(protocol));
                var explanation = await client.GetAsync(path, AdminJson.Default.PolicyExplanationModel, cancellation);
                if (json)
                {
                    terminal.Json(explanation, AdminJson.Default.PolicyExplanationModel);
                    return ExitCode.Ok;
                }
                terminal.Line(explanation.Answer);
                foreach (string rule in explanation.Rules) terminal.Line($"  by {rule}");
                foreach (string reason in explanation.Reasons) terminal.Line($"  {reason}");
                return ExitCode.Ok;
            },
            network, source, destination, protocol);
    }

    private static Task<PolicyEffectModel> TryAsync(AdminClient client, string network, SetPolicyModel wanted, CancellationToken cancellation) => client.SendAsync(
        HttpMethod.Post, Paths.PolicyEffect(network), wanted, AdminJson.Default.SetPolicyModel, AdminJson.Default.PolicyEffectModel, cancellation);

    private static void Print(Terminal terminal, PolicyEffectModel effect)
    {
        foreach (string notice in effect.Notices) terminal.Note($"note: {notice}");
        foreach (string words in effect.Lines) terminal.Line(words);
    }
}
