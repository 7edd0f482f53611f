using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Registration;
using Mesh.Coordinator.Trust;

namespace Mesh.Coordinator.Admin;

/// <summary>What the admin API works on.</summary>
/// <param name="AdminAddress">What --coordinator takes; null when the API is not served over the network.</param>
internal sealed record AdminContext(
    StateDirectory State, NetworkSet Networks, WaitingRoom Waiting, CoordinatorKeys Keys, AdminTokens Tokens, JoinLinks Links, Func<string?> AdminAddress, TimeProvider Clock);
