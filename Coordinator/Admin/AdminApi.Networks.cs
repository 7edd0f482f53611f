using Mesh.Coordinator.Network;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Mesh.Coordinator.Admin;

internal static partial class AdminApi
{
    private static void MapNetworks(WebApplication app, AdminContext admin)
    {
        app.MapPost("/v1/networks", async c => await Json(c,
            await NetworkCommands.CreateAsync(admin, await ReadAsync(c, AdminJson.Default.CreateNetworkModel), Caller.Of(c)),
            AdminJson.Default.NetworkModel, StatusCodes.Status201Created));
        app.MapGet("/v1/networks/{network}", c => Json(c, AdminQueries.Describe(Network(c, admin)), AdminJson.Default.NetworkModel));
        app.MapDelete("/v1/networks/{network}", async c => await Json(c,
            await NetworkCommands.DeleteAsync(
                admin, Network(c, admin), Number(c, "graceSeconds", 0, (long)NetworkLimits.MaxNetworkGrace.TotalSeconds), Caller.Of(c)),
            AdminJson.Default.NetworkModel));
        app.MapPost("/v1/networks/{network}/keep", async c => await Json(c,
            await NetworkCommands.KeepAsync(Network(c, admin), Caller.Of(c)), AdminJson.Default.NetworkModel));
    }

    private static void MapNodes(WebApplication app, AdminContext admin)
    {
        app.MapGet("/v1/networks/{network}/nodes/{node}",
            c => Json(c, AdminQueries.Node(admin, Network(c, admin), Node(c, admin)), AdminJson.Default.NodeModel));
        app.MapPost("/v1/networks/{network}/nodes/{node}/rename", async c => await Json(c,
            await NodeCalls.RenameAsync(admin, Network(c, admin), Node(c, admin), await ReadAsync(c, AdminJson.Default.RenameNodeModel), Caller.Of(c)),
            AdminJson.Default.NodeModel));
        app.MapPost("/v1/networks/{network}/nodes/{node}/expire", async c => await Json(c,
            await NodeCalls.ExpireAsync(admin, Network(c, admin), Node(c, admin), await ReadAsync(c, AdminJson.Default.ExpireNodeModel), Caller.Of(c)),
            AdminJson.Default.NodeModel));
        app.MapDelete("/v1/networks/{network}/nodes/{node}", async c => await Json(c,
            await NodeCalls.DeleteAsync(admin, Network(c, admin), Node(c, admin), Caller.Of(c)), AdminJson.Default.NodeModel));
    }

    private static ulong Node(HttpContext context, AdminContext admin) =>
        AdminQueries.FindNode(Network(context, admin), (string)context.GetRouteValue("node")!);
}
