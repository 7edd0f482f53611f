using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Trust;

namespace Mesh.Coordinator.Admin;

/// <summary>What the admin API works on.</summary>
internal sealed record AdminContext(StateDirectory State, NetworkSet Networks, CoordinatorKeys Keys, JoinLinks Links, TimeProvider Clock);
