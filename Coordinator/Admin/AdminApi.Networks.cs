using Mesh.Coordinator.Network;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Mesh.Coordinator.Admin;

internal static partial class AdminApi
{
    private static void MapNetworks(WebApplication app, AdminContext admin)
    {
        app.MapGet("/v1/networks", c => Json(c, AdminQueries.Networks(admin, Page.Of(c)), AdminJson.Default.ListModelNetworkModel))
            .Describe(new("listNetworks", "The networks of this coordinator.") { Response = AdminJson.Default.ListModelNetworkModel, Query = Page.Query });
        app.MapPost("/v1/networks", async c => await Json(c,
                await NetworkCommands.CreateAsync(admin, await ReadAsync(c, AdminJson.Default.CreateNetworkModel), Caller.Of(c)),
                AdminJson.Default.NetworkModel, StatusCodes.Status201Created))
            .Describe(new("createNetwork", "Makes a network with a log, data key, addresses and policy of its own.")
            {
                Request = AdminJson.Default.CreateNetworkModel, Response = AdminJson.Default.NetworkModel, Status = StatusCodes.Status201Created,
            });
        app.MapGet("/v1/networks/{network}", c => Json(c, AdminQueries.Describe(Network(c, admin)), AdminJson.Default.NetworkModel))
            .Describe(new("getNetwork", "A network.") { Response = AdminJson.Default.NetworkModel });
        app.MapDelete("/v1/networks/{network}", async c => await Json(c,
                await NetworkCommands.DeleteAsync(
                    admin, Network(c, admin), Number(c, "graceSeconds", 0, (long)NetworkLimits.MaxNetworkGrace.TotalSeconds), Caller.Of(c)),
                AdminJson.Default.NetworkModel))
            .Describe(new("deleteNetwork", "Deletes a network; its log and keys are removed when the grace is over.")
            {
                Response = AdminJson.Default.NetworkModel,
                Query = [new("graceSeconds", "How long the deletion can be taken back.", 0, (long)NetworkLimits.MaxNetworkGrace.TotalSeconds)],
            });
        app.MapPost("/v1/networks/{network}/keep", async c => await Json(c,
                await NetworkCommands.KeepAsync(Network(c, admin), Caller.Of(c)), AdminJson.Default.NetworkModel))
            .Describe(new("keepNetwork", "Takes the deletion of a network back.") { Response = AdminJson.Default.NetworkModel });
        app.MapPost("/v1/networks/{network}/settings", async c => await Json(c,
                await NetworkCommands.ChangeSettingsAsync(Network(c, admin), await ReadAsync(c, AdminJson.Default.NetworkSettingsModel), Caller.Of(c)),
                AdminJson.Default.NetworkModel))
            .Describe(new("changeSettings", "Changes what holds for all machines of a network: approval, lifetime of authorisations, change of node keys.")
            {
                Request = AdminJson.Default.NetworkSettingsModel, Response = AdminJson.Default.NetworkModel,
            });
        app.MapGet("/v1/networks/{network}/waiting", c => Json(c, ApprovalCalls.List(admin, Network(c, admin)), AdminJson.Default.ListModelWaitingMachineModel))
            .Describe(new("listWaiting", "The machines that wait to be let in, the first to come first.") { Response = AdminJson.Default.ListModelWaitingMachineModel });
        app.MapPost("/v1/networks/{network}/approve", async c => await AnswerNode(c, admin,
                await ApprovalCalls.ApproveAsync(admin, Network(c, admin), await ReadAsync(c, AdminJson.Default.ApproveModel), Caller.Of(c))))
            .Describe(new("approveMachine", "Lets a waiting machine in.")
            {
                Request = AdminJson.Default.ApproveModel, Response = AdminJson.Default.NodeModel,
            });
    }

    private static void MapNodes(WebApplication app, AdminContext admin)
    {
        app.MapGet("/v1/networks/{network}/nodes",
                c => Json(c, AdminQueries.Nodes(admin, Network(c, admin), Page.Of(c)), AdminJson.Default.ListModelNodeModel))
            .Describe(new("listNodes", "The machines of a network, by id.") { Response = AdminJson.Default.ListModelNodeModel, Query = Page.Query });
        app.MapGet("/v1/networks/{network}/nodes/{node}", c => AnswerNode(c, admin, Node(c, admin)))
            .Describe(new("getNode", "A machine, by its id or name.") { Response = AdminJson.Default.NodeModel, Tagged = true });
        app.MapPost("/v1/networks/{network}/nodes/{node}/rename", async c =>
            {
                ulong id = Node(c, admin);
                await NodeCalls.RenameAsync(c, Network(c, admin), id, await ReadAsync(c, AdminJson.Default.RenameNodeModel), Caller.Of(c));
                await AnswerNode(c, admin, id);
            })
            .Describe(new("renameNode", "Gives a machine another name.")
            {
                Request = AdminJson.Default.RenameNodeModel, Response = AdminJson.Default.NodeModel, Tagged = true,
            });
        app.MapPost("/v1/networks/{network}/nodes/{node}/expire", async c =>
            {
                ulong id = Node(c, admin);
                await NodeCalls.ExpireAsync(c, admin, Network(c, admin), id, await ReadAsync(c, AdminJson.Default.ExpireNodeModel), Caller.Of(c));
                await AnswerNode(c, admin, id);
            })
            .Describe(new("expireNode", "Sets when a machine's authorisation ends.")
            {
                Request = AdminJson.Default.ExpireNodeModel, Response = AdminJson.Default.NodeModel, Tagged = true,
            });
        app.MapPost("/v1/networks/{network}/nodes/{node}/tag", async c =>
            {
                ulong id = Node(c, admin);
                await NodeCalls.TagAsync(c, Network(c, admin), id, await ReadAsync(c, AdminJson.Default.TagNodeModel), Caller.Of(c));
                await AnswerNode(c, admin, id);
            })
            .Describe(new("tagNode", "Gives a machine tags in place of those it has; it then belongs to nobody and does not expire.")
            {
                Request = AdminJson.Default.TagNodeModel, Response = AdminJson.Default.NodeModel, Tagged = true,
            });
        app.MapDelete("/v1/networks/{network}/nodes/{node}", async c => await Json(c,
                await NodeCalls.DeleteAsync(c, admin, Network(c, admin), Node(c, admin), Caller.Of(c)), AdminJson.Default.NodeModel))
            .Describe(new("deleteNode", "Deletes a machine, and answers with what it was.") { Response = AdminJson.Default.NodeModel, Tagged = true });
    }

    private static Task AnswerNode(HttpContext context, AdminContext admin, ulong id)
    {
        var network = Network(context, admin);
        return Tagged(context, AdminQueries.Node(admin, network, id), AdminJson.Default.NodeModel, EntityTag.OfNode(network.Runtime.State, id));
    }

    private static ulong Node(HttpContext context, AdminContext admin) =>
        AdminQueries.FindNode(Network(context, admin), (string)context.GetRouteValue("node")!);
}
