using System.Net;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Network;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Admin;

/// <summary>Making, deleting and keeping networks.</summary>
internal static class NetworkCommands
{
    public static async Task<NetworkModel> CreateAsync(AdminContext admin, CreateNetworkModel model, Caller caller)
    {
        if (!NetworkName.IsValid(model.Name))
            throw new ProblemException(Problems.Invalid("name", "is not a DNS label: 1 to 63 of a-z, 0-9 and '-', no '-' at either end"));
        var plan = AddressPlan.New();
        plan = plan with
        {
            IPv4 = Pool("ipv4Pool", model.Ipv4Pool) ?? plan.IPv4, IPv6 = Pool("ipv6Prefix", model.Ipv6Prefix) ?? plan.IPv6,
        };
        if (plan.Problem() is { } problem) throw new ProblemException(Problems.Invalid("ipv4Pool", problem));
        var network = await admin.Networks.CreateAsync(model.Name, plan, caller.Actor, caller.Key)
            ?? throw new ProblemException(new Problem(409, ProblemType.Conflict, "Name taken",
                $"There is a network {model.Name} already. A deleted one keeps its name until its grace is over.", "name"));
        return AdminQueries.Describe(network);
    }

    /// <param name="graceSeconds">Null for the usual one.</param>
    public static async Task<NetworkModel> DeleteAsync(AdminContext admin, NetworkHost network, long? graceSeconds, Caller caller)
    {
        var grace = graceSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : NetworkLimits.NetworkGrace;
        await network.Runtime.ExecuteAsync(new DeleteNetwork(grace), caller.Actor, caller.Key);
        var deleted = AdminQueries.Describe(network);
        await admin.Networks.PurgeDueAsync();
        return deleted;
    }

    public static async Task<NetworkModel> KeepAsync(NetworkHost network, Caller caller)
    {
        await network.Runtime.ExecuteAsync(new KeepNetwork(), caller.Actor, caller.Key);
        return AdminQueries.Describe(network);
    }

    public static async Task<NetworkModel> ChangeSettingsAsync(NetworkHost network, NetworkSettingsModel model, Caller caller)
    {
        var command = new ChangeSettings(
            model.ApprovalRequired, Time("nodeLifetimeSeconds", model.NodeLifetimeSeconds), Time("keyRotationSeconds", model.KeyRotationSeconds));
        await network.Runtime.ExecuteAsync(command, caller.Actor, caller.Key);
        return AdminQueries.Describe(network);
    }

    private static TimeSpan? Time(string field, long? seconds) =>
        seconds is < 0 or > (long)int.MaxValue * 60 ? throw new ProblemException(Problems.Invalid(field, "is not a time in seconds"))
        : seconds is { } s ? TimeSpan.FromSeconds(s) : null;

    private static IPNetwork? Pool(string field, string? text) =>
        text is null ? null
        : IPNetwork.TryParse(text, out var pool) ? pool
        : throw new ProblemException(Problems.Invalid(field, "is not a prefix such as 100.64.0.0/10 or fd12:3456:789a::/48"));
}
