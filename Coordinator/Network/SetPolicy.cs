using System.Globalization;
using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Evaluation;
using Mesh.Coordinator.Policy.Language;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Network;

/// <summary>
/// Replaces the network's policy. Refused, and the one in force stands, when the text is no policy, does not fit the network's
/// users or fails one of its own tests. Nothing changes when it is the same.
/// </summary>
public sealed record SetPolicy(string Text) : ICommand<Done>
{
    public Decision<Done> Decide(NetworkState state, DecisionContext context)
    {
        try
        {
            var program = new PolicyProgram(PolicyDocument.Parse(Text));
            PolicySubject[] subjects = [.. state.Nodes.Values.OrderBy(node => node.Id).Select(state.SubjectOf)];
            PolicyAcceptance.ThrowIfRefused(program, subjects, state.Domain);
            CheckFilters(FleetPolicy.Of(program, subjects));
        }
        catch (PolicyRefusedException refused)
        {
            string more = refused.Problems.Count == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $" (and {refused.Problems.Count - 1} more)");
            throw new CommandRefusedException(RefusalReason.PolicyRefused, $"{refused.Problems[0]}{more}") { Field = "text" };
        }

        // A network that was never given a policy denies too, but that someone chose so is worth an event.
        bool isSame = state.PolicyPosition != 0 && state.Policy is { Unread: null } policy && policy.Text == Text;
        IMessage[] events = isSame ? [] : [new PolicySet { Text = Text }];
        return new(events, _ => default);
    }

    private static void CheckFilters(FleetPolicy fleet)
    {
        int most = fleet.Classes.Select(one => fleet.IngressOf(one).Length).DefaultIfEmpty().Max();
        if (most > ControlLimits.FilterRules)
        {
            throw new PolicyRefusedException(
                default, $"a machine's filter would have {most} rules, and {ControlLimits.FilterRules} are the most", "say the same with fewer rules, by groups and tags");
        }
    }

    public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
}
