using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Network;
using Microsoft.AspNetCore.Http;

namespace Mesh.Coordinator.Admin;

/// <summary>What an administrator does to a single node.</summary>
internal static class NodeCalls
{
    public static async Task RenameAsync(HttpContext context, NetworkHost network, ulong id, RenameNodeModel model, Caller caller)
    {
        await network.Runtime.ExecuteAsync(IfMatch(context, id, new RenameNode(id, model.Name)), caller.Actor, caller.Key);
    }

    public static async Task ExpireAsync(
        HttpContext context, AdminContext admin, NetworkHost network, ulong id, ExpireNodeModel model, Caller caller)
    {
        if (model.InSeconds is < 0 or > (long)int.MaxValue * 60)
            throw new ProblemException(Problems.Invalid("inSeconds", "is not a time from now in seconds"));
        DateTimeOffset? end = model.InSeconds is { } seconds ? admin.Clock.GetUtcNow() + TimeSpan.FromSeconds(seconds) : null;
        await network.Runtime.ExecuteAsync(IfMatch(context, id, new SetNodeExpiry(id, end)), caller.Actor, caller.Key);
    }

    public static async Task TagAsync(HttpContext context, NetworkHost network, ulong id, TagNodeModel model, Caller caller)
    {
        if (model.Tags.Any(tag => tag is null)) throw new ProblemException(Problems.Invalid("tags", "holds a null"));
        await network.Runtime.ExecuteAsync(IfMatch(context, id, new TagNode(id, [.. model.Tags])), caller.Actor, caller.Key);
    }

    /// <summary>Answers with what was deleted.</summary>
    public static async Task<NodeModel> DeleteAsync(HttpContext context, AdminContext admin, NetworkHost network, ulong id, Caller caller)
    {
        var node = AdminQueries.Node(admin, network, id);
        await network.Runtime.ExecuteAsync(IfMatch(context, id, new DeleteNode(id)), caller.Actor, caller.Key);
        return node;
    }

    private static ICommand<T> IfMatch<T>(HttpContext context, ulong id, ICommand<T> command) =>
        EntityTag.IfMatch(context, command, state => EntityTag.OfNode(state, id));
}
