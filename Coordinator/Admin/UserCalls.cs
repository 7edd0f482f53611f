using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Network;
using Microsoft.AspNetCore.Http;

namespace Mesh.Coordinator.Admin;

/// <summary>What the admin API says of people, and does to one of them.</summary>
internal static class UserCalls
{
    public static ListModel<UserModel> List(NetworkState state, Page page)
    {
        var nodes = state.Nodes.Values.CountBy(node => node.OwnerId).ToDictionary();
        return page.Take(state.Users.Values, user => user.Id, user => Describe(user, nodes.GetValueOrDefault(user.Id)));
    }

    public static User Get(NetworkState state, ulong id) => state.Users.TryGetValue(id, out var user) ? user : throw NetworkValues.UnknownUser(id);

    public static UserModel Describe(NetworkState state, User user) => Describe(user, state.NodesOf(user.Id).Count());

    public static async Task ExecuteAsync<T>(HttpContext context, NetworkHost network, ulong id, ICommand<T> command, Caller caller) =>
        await network.Runtime.ExecuteAsync(EntityTag.IfMatch(context, command, state => EntityTag.OfUser(state, id)), caller.Actor, caller.Key);

    private static UserModel Describe(User user, int nodes) => new(
        user.Id, user.Name, user.DisplayName.Length == 0 ? null : user.DisplayName, user.Email.Length == 0 ? null : user.Email, nodes, user.CreatedAt);
}
