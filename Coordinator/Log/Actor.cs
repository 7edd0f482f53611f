namespace Mesh.Coordinator.Log;

/// <summary>Who caused an event. The numbers are stored; add, never renumber.</summary>
public enum ActorKind : byte
{
    /// <summary>The coordinator itself: timers and first starts.</summary>
    System = 0,

    /// <summary>Someone on the admin socket; the id is their Unix user id.</summary>
    LocalAdmin = 1,

    /// <summary>A member; the id is its node id.</summary>
    Node = 2,

    /// <summary>A machine that is no member yet; the id is the start of its machine key's SHA-256.</summary>
    Machine = 3,

    /// <summary>The holder of an admin token; the id is the token's.</summary>
    AdminToken = 4,

    /// <summary>A signed-in user; the id is the user's.</summary>
    User = 5,
}

/// <summary>Who caused an event, by number only: names stand in payloads, where they can be erased.</summary>
public readonly record struct Actor(ActorKind Kind, ulong Id)
{
    public static Actor System => default;

    public static Actor LocalAdmin(uint userId) => new(ActorKind.LocalAdmin, userId);

    public static Actor Node(ulong nodeId) => new(ActorKind.Node, nodeId);

    public override string ToString() => Kind switch
    {
        ActorKind.System => "system",
        ActorKind.LocalAdmin => $"admin(uid {Id})",
        ActorKind.Node => $"node {Id}",
        ActorKind.Machine => $"machine {Id:x16}",
        ActorKind.AdminToken => $"token {Id}",
        ActorKind.User => $"user {Id}",
        _ => $"actor {(byte)Kind}/{Id}",
    };
}
