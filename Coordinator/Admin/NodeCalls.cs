using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Network;

namespace Mesh.Coordinator.Admin;

/// <summary>What an administrator does to a single node.</summary>
internal static class NodeCalls
{
    public static async Task<NodeModel> RenameAsync(AdminContext admin, NetworkHost network, ulong id, RenameNodeModel model, Caller caller)
    {
        await network.Runtime.ExecuteAsync(new RenameNode(id, model.Name), caller.Actor, caller.Key);
        return AdminQueries.Node(admin, network, id);
    }

    public static async Task<NodeModel> ExpireAsync(AdminContext admin, NetworkHost network, ulong id, ExpireNodeModel model, Caller caller)
    {
        if (model.InSeconds is < 0 or > (long)int.MaxValue * 60)
            throw new ProblemException(Problems.Invalid("inSeconds", "is not a time from now in seconds"));
        DateTimeOffset? end = model.InSeconds is { } seconds ? admin.Clock.GetUtcNow() + TimeSpan.FromSeconds(seconds) : null;
        await network.Runtime.ExecuteAsync(new SetNodeExpiry(id, end), caller.Actor, caller.Key);
        return AdminQueries.Node(admin, network, id);
    }

    /// <summary>Answers with what was deleted.</summary>
    public static async Task<NodeModel> DeleteAsync(AdminContext admin, NetworkHost network, ulong id, Caller caller)
    {
        var node = AdminQueries.Node(admin, network, id);
        await network.Runtime.ExecuteAsync(new DeleteNode(id), caller.Actor, caller.Key);
        return node;
    }
}
