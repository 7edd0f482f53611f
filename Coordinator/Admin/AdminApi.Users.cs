using System.Globalization;
using Mesh.Coordinator.Network;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Mesh.Coordinator.Admin;

internal static partial class AdminApi
{
    private static void MapUsers(WebApplication app, AdminContext admin)
    {
        app.MapGet("/v1/networks/{network}/users",
                c => Json(c, UserCalls.List(Network(c, admin).Runtime.State, Page.Of(c)), AdminJson.Default.ListModelUserModel))
            .Describe(new("listUsers", "The people of a network, by id.") { Response = AdminJson.Default.ListModelUserModel, Query = Page.Query });
        app.MapPost("/v1/networks/{network}/users", async c =>
            {
                var model = await ReadAsync(c, AdminJson.Default.CreateUserModel);
                var caller = Caller.Of(c);
                var network = Network(c, admin);
                var user = await network.Runtime.ExecuteAsync(
                    new CreateUser(model.Name, model.DisplayName ?? "", model.Email ?? ""), caller.Actor, caller.Key);
                await Json(c, UserCalls.Describe(network.Runtime.State, user), AdminJson.Default.UserModel, StatusCodes.Status201Created);
            })
            .Describe(new("createUser", "Adds a person to a network.")
            {
                Request = AdminJson.Default.CreateUserModel, Response = AdminJson.Default.UserModel, Status = StatusCodes.Status201Created,
            });
        app.MapGet("/v1/networks/{network}/users/{user}", c => AnswerUser(c, admin, User(c, admin)))
            .Describe(new("getUser", "A person, by id or name.") { Response = AdminJson.Default.UserModel, Tagged = true });
        app.MapPost("/v1/networks/{network}/users/{user}/rename", async c =>
            {
                ulong id = User(c, admin);
                var model = await ReadAsync(c, AdminJson.Default.RenameUserModel);
                await UserCalls.ExecuteAsync(c, Network(c, admin), id, new RenameUser(id, model.Name), Caller.Of(c));
                await AnswerUser(c, admin, id);
            })
            .Describe(new("renameUser", "Gives a person another login; machines and keys stay his.")
            {
                Request = AdminJson.Default.RenameUserModel, Response = AdminJson.Default.UserModel, Tagged = true,
            });
        app.MapDelete("/v1/networks/{network}/users/{user}", async c =>
            {
                ulong id = User(c, admin);
                var network = Network(c, admin);
                var deleted = UserCalls.Describe(network.Runtime.State, UserCalls.Get(network.Runtime.State, id));
                await UserCalls.ExecuteAsync(c, network, id, new DeleteUser(id, WithNodes: Number(c, "withNodes", 0, 1) == 1), Caller.Of(c));
                await Json(c, deleted, AdminJson.Default.UserModel);
            })
            .Describe(new("deleteUser", "Deletes a person and revokes the keys made for him; refused while machines belong to him, unless they go along. Answers with what he was.")
            {
                Response = AdminJson.Default.UserModel, Tagged = true,
                Query = [new("withNodes", "1 deletes the person's machines too.", 0, 1)],
            });
    }

    private static Task AnswerUser(HttpContext context, AdminContext admin, ulong id)
    {
        var state = Network(context, admin).Runtime.State;
        return Tagged(context, UserCalls.Describe(state, UserCalls.Get(state, id)), AdminJson.Default.UserModel, EntityTag.OfUser(state, id));
    }

    /// <summary>Names are never mere numbers, so an id is not taken for one.</summary>
    private static ulong User(HttpContext context, AdminContext admin)
    {
        var state = Network(context, admin).Runtime.State;
        string text = (string)context.GetRouteValue("user")!;
        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong id) && state.Users.ContainsKey(id)
            ? id
            : state.FindUser(text.ToLowerInvariant())?.Id ?? throw new CommandRefusedException(
                RefusalReason.UserUnknown, "This network has no user of that id or name; 'mesh-coordinator users list' shows them.") { Field = "user" };
    }
}
