using Mesh.Coordinator.Network;
using Mesh.Coordinator.Presence;

namespace Mesh.Coordinator.Map;

/// <summary>
/// What a node has been sent: a state and a presence, both immutable and shared with everyone else, so that a poll that lags
/// holds no list of changes.
/// </summary>
/// <param name="Presence">Null after a resume that could not bring it back: of those in view, it counts as unknown.</param>
/// <param name="PresenceVersion">What was sent of presence; -1 for nothing.</param>
internal sealed record MapCursor(NetworkState State, PresenceView? Presence, long PresenceVersion)
{
    public static MapCursor Of(NetworkState state, PresenceView presence) => new(state, presence, presence.Version);
}
