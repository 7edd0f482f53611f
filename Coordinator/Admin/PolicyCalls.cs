using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Effect;
using Mesh.Coordinator.Policy.Evaluation;
using Mesh.Coordinator.Policy.Explanation;
using Mesh.Coordinator.Policy.Language;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Http;

namespace Mesh.Coordinator.Admin;

/// <summary>What the admin API says of a network's policy, and does to it.</summary>
internal static class PolicyCalls
{
    /// <summary>Of a request with a policy in it: JSON may write a character in six.</summary>
    public const long BodyBytes = (6 * PolicyLimits.TextBytes) + 1024;

    public static PolicyModel Describe(NetworkState state) => new(
        state.Policy.Text, KindOf(state.Policy), EntityTag.OfPolicy(state), state.PolicyPosition, ProblemOf(state.Policy));

    /// <summary>Why a policy that was set since is not in force; null as a rule.</summary>
    public static string? ProblemOf(NetworkPolicy policy) => policy.Unread?.Problem.ToString();

    /// <summary>allow-all, deny-all or file.</summary>
    public static string KindOf(NetworkPolicy policy) => policy.Text switch
    {
        NetworkPolicy.AllowAllText => "allow-all",
        NetworkPolicy.DenyAllText => "deny-all",
        _ => "file",
    };

    /// <returns>A state with the policy in it.</returns>
    public static async Task<NetworkState> SetAsync(HttpContext context, NetworkHost network, SetPolicyModel model, Caller caller)
    {
        await network.Runtime.ExecuteAsync(EntityTag.IfMatch(context, new SetPolicy(model.Text), EntityTag.OfPolicy), caller.Actor, caller.Key);
        return network.Runtime.State;
    }

    /// <summary>What a policy would change. Refused as it would be when it were set, but with all that is wrong, a line each.</summary>
    public static PolicyEffectModel Effect(NetworkState state, SetPolicyModel model)
    {
        var machines = MachinesOf(state);
        List<PolicySubject> subjects = [.. machines.Select(machine => machine.Subject)];
        try
        {
            var program = new PolicyProgram(PolicyDocument.Parse(model.Text));
            PolicyAcceptance.ThrowIfRefused(program, subjects, state.Domain);
            var effect = PolicyEffect.Of(state.Policy.Fleet, FleetPolicy.Of(program, subjects), machines);
            return new PolicyEffectModel(
                [.. effect.Gains.Select(Describe)], [.. effect.Losses.Select(Describe)], effect.MoreGains, effect.MoreLosses, effect.IsComplete,
                [.. effect.Lines()], [.. program.Document.Notices.Select(notice => notice.ToString())], EntityTag.OfPolicy(state));
        }
        catch (PolicyRefusedException refused)
        {
            throw new ProblemException(new Problem(
                StatusCodes.Status400BadRequest, ProblemType.Malformed, "Policy refused", string.Join('\n', refused.Problems), "text"));
        }
    }

    public static PolicyExplanationModel Explain(NetworkState state, string source, string destination, string protocol, DateTimeOffset now)
    {
        try
        {
            var question = PolicyQuestion.Parse(source, destination, protocol);
            var explanation = new PolicyExplainer(state.Policy.Fleet, MachinesOf(state)).Explain(question);
            return new PolicyExplanationModel(
                explanation.Allowed, explanation.Answer, explanation.Rules, [.. explanation.Reasons, .. Absent(question.Source), .. Absent(question.Destination)]);
        }
        catch (FormatException e)
        {
            throw new ProblemException(new Problem(StatusCodes.Status400BadRequest, ProblemType.Malformed, "No such question", e.Message));
        }

        IEnumerable<string> Absent(string name)
        {
            if (state.FindByName(name) is { } node && !node.IsMember(now))
                yield return $"{node.Name} is no member at present ({AdminQueries.StateOf(node, now)}): it stands in nobody's map until it is back";
        }
    }

    private static PolicyChangeModel Describe(PolicyChange change) => new(change.From, change.To, change.What, change.Machines);

    private static List<NamedSubject> MachinesOf(NetworkState state) =>
        [.. state.Nodes.Values.OrderBy(node => node.Id).Select(node => new NamedSubject(node.Name, state.SubjectOf(node)))];
}
