using Microsoft.AspNetCore.Builder;

namespace Mesh.Coordinator.Admin;

internal static partial class AdminApi
{
    private static void MapRoot(WebApplication app, AdminContext admin)
    {
        app.MapGet("/v1/root", c => Json(c, AdminQueries.Root(admin), AdminJson.Default.RootModel))
            .Describe(new("getRoot", "The root key that the pin names.") { Response = AdminJson.Default.RootModel });
    }
}
