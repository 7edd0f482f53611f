using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;

namespace Mesh.Coordinator.Network;

/// <param name="DisplayName">A label, "" for none.</param>
/// <param name="Email">A policy may mean the user by it; "" for none.</param>
public sealed record CreateUser(string Name, string DisplayName = "", string Email = "") : ICommand<User>
{
    public Decision<User> Decide(NetworkState state, DecisionContext context)
    {
        if (state.Users.Count >= NetworkLimits.Users)
            throw new CommandRefusedException(RefusalReason.LimitReached, "The network holds as many users as it may.");
        var name = UserNames.CheckFree(state, Name);
        var id = state.NextUserId;
        var e = new UserCreated
        {
            Id = id, Name = name, DisplayName = NetworkValues.CheckLabel(DisplayName, "displayName"), Email = UserNames.CheckFreeEmail(state, Email),
        };
        return new([e], after => after.Users[id]);
    }

    public User Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        events is [{ Payload: UserCreated e }] && state.Users.TryGetValue(e.Id, out var user) ? user : throw NetworkValues.OtherCommand();
}

/// <summary>Gives a user another login. Nodes, keys and sign-ins go with the id, so all of them stay his.</summary>
public sealed record RenameUser(ulong UserId, string Name) : ICommand<User>
{
    public Decision<User> Decide(NetworkState state, DecisionContext context)
    {
        if (!state.Users.TryGetValue(UserId, out var user))
            throw NetworkValues.UnknownUser(UserId);
        var name = UserNames.CheckFree(state, Name, except: UserId);
        IMessage[] events = user.Name == name ? [] : [new UserRenamed { Id = UserId, Name = name }];
        return new(events, after => after.Users[UserId]);
    }

    public User Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        state.Users.TryGetValue(UserId, out var user) ? user : throw NetworkValues.UnknownUser(UserId);
}

/// <summary>
/// Deletes a user, and revokes the keys made for him. Refused while nodes belong to him, unless these are to go with him. Tagged
/// nodes belong to nobody and stay.
/// </summary>
public sealed record DeleteUser(ulong UserId, bool WithNodes) : ICommand<Done>
{
    public Decision<Done> Decide(NetworkState state, DecisionContext context)
    {
        if (!state.Users.TryGetValue(UserId, out var user))
            throw NetworkValues.UnknownUser(UserId);
        var nodes = state.NodesOf(UserId).OrderBy(node => node.Id).ToList();
        if (nodes.Count > 0 && !WithNodes)
        {
            throw new CommandRefusedException(
                RefusalReason.StillInUse,
                $"{nodes.Count} machine(s) belong to {user.Name}, {nodes[0].Name} for one. Delete them first, or with the user: 'users delete {user.Name} --with-nodes'.");
        }

        var keys = state.PreAuthKeys.Values.Where(key => key.UserId == UserId && key.StatusAt(context.Now) == PreAuthKeyStatus.Valid).OrderBy(key => key.Id);
        return new(
            [
                .. nodes.Select(node => new NodeDeleted { Id = node.Id }), .. keys.Select(key => new PreAuthKeyRevoked { Id = key.Id }),
                new UserDeleted { Id = UserId },
            ],
            _ => default);
    }

    public Done Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => default;
}

internal static class UserNames
{
    /// <summary>The name in canonical form; refused when it is none, or a policy would mean another user by it.</summary>
    public static string CheckFree(NetworkState state, string name, ulong except = 0)
    {
        var canonical = NetworkValues.CheckUserName(name);
        if (state.FindUser(canonical) is { } holder && holder.Id != except)
            throw new CommandRefusedException(RefusalReason.NameTaken, $"User {holder.Id} has the name {canonical}. Rename or delete that one first.") { Field = "name" };
        if ((state.FindUserInPolicy(canonical) ?? state.FindUserInPolicy(canonical + "@")) is { } other && other.Id != except)
            throw new CommandRefusedException(RefusalReason.NameTaken, $"User {other.Id} has the e-mail address {other.Email}: a policy that says {canonical} would mean both.") { Field = "name" };
        return canonical;
    }

    /// <summary>The address as it is; refused when a policy would mean another user by it.</summary>
    public static string CheckFreeEmail(NetworkState state, string email)
    {
        NetworkValues.CheckLabel(email, "email");
        if (email.Length > 0 && state.FindUserInPolicy(email.ToLowerInvariant()) is { } other)
            throw new CommandRefusedException(RefusalReason.NameTaken, $"A policy that says {email} means user {other.Id}, {other.Name}, already. Give another address, or none.") { Field = "email" };
        return email;
    }
}
