using Mesh.Coordinator.Hosting;
using Microsoft.AspNetCore.Builder;

namespace Mesh.Coordinator.Admin;

internal static partial class AdminApi
{
    private static void MapRoot(WebApplication app, AdminContext admin)
    {
        app.MapGet("/v1/root", c => Json(c, AdminQueries.Root(admin), AdminJson.Default.RootModel))
            .Describe(new("getRoot", "The root key that the pin names.") { Response = AdminJson.Default.RootModel });
        app.MapPost("/v1/root/export", c => Json(c, RootCalls.Export(admin, Caller.Of(c)), AdminJson.Default.ExportedRootModel))
            .Describe(new("exportRoot", "The root's private key; on the socket alone.") { Response = AdminJson.Default.ExportedRootModel });
        app.MapPost("/v1/root/remove", async c =>
            {
                RootCalls.Remove(admin, await ReadAsync(c, AdminJson.Default.RemoveRootModel));
                await Json(c, AdminQueries.Root(admin), AdminJson.Default.RootModel);
            })
            .Describe(new("removeRoot", "Forgets the root's private key, for whoever proves that he has a copy.")
            {
                Request = AdminJson.Default.RemoveRootModel, Response = AdminJson.Default.RootModel,
            });
        app.MapPost("/v1/root/request", c => Json(c, RootCalls.Request(admin), AdminJson.Default.RootRequestModel))
            .Describe(new("requestIssuer", "What a root that is elsewhere has to sign.") { Response = AdminJson.Default.RootRequestModel });
        app.MapPost("/v1/root/renew", async c =>
            {
                RootCalls.Renew(admin, await ReadAsync(c, AdminJson.Default.RenewIssuerModel));
                await Json(c, AdminQueries.Root(admin), AdminJson.Default.RootModel);
            })
            .Describe(new("renewIssuer", "Renews the issuer for a year, by the root key that is here or with what it signed elsewhere.")
            {
                Request = AdminJson.Default.RenewIssuerModel, Response = AdminJson.Default.RootModel,
            });
        app.MapPost("/v1/root/next", async c =>
            {
                RootCalls.Announce(admin, await ReadAsync(c, AdminJson.Default.NextRootModel));
                await Json(c, AdminQueries.Root(admin), AdminJson.Default.RootModel);
            })
            .Describe(new("announceRoot", "Announces the root that will follow, made here or, with all four members, elsewhere.")
            {
                Request = AdminJson.Default.NextRootModel, Response = AdminJson.Default.RootModel,
            });
        app.MapPost("/v1/root/switch", async c =>
            {
                RootCalls.Switch(admin, await ReadAsync(c, AdminJson.Default.SwitchRootModel));
                await Json(c, AdminQueries.Root(admin), AdminJson.Default.RootModel);
            })
            .Describe(new("switchRoot", "Lets the announced root take over, at once and for good.")
            {
                Request = AdminJson.Default.SwitchRootModel, Response = AdminJson.Default.RootModel,
            });
    }
}
