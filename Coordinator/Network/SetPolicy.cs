using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;
using Mesh.Coordinator.Policy;

namespace Mesh.Coordinator.Network;

/// <summary>Replaces the network's policy. Nothing changes when it is the same.</summary>
public sealed record SetPolicy(PolicyPreset Preset) : ICommand<Done>
{
    public Decision<Done> Decide(NetworkState state, DecisionContext context)
    {
        // A network that was never given a policy denies too, but that someone chose so is worth an event.
        IMessage[] events = state.PolicyPosition != 0 && state.Policy.Preset == Preset
            ? []
            : [new PolicySet
            {
                Preset = Preset == PolicyPreset.AllowAll ? PolicySet.Types.Preset.AllowAll : PolicySet.Types.Preset.DenyAll,
            }];
        return new(events, _ => default);
    }

    public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
}
