namespace Mesh.Coordinator.Network;

/// <summary>Why a command was refused. Each becomes a problem type of its own in the APIs.</summary>
public enum RefusalReason
{
    /// <summary>The machine is no member and showed no pre-auth key.</summary>
    PreAuthKeyRequired,
    PreAuthKeyUnknown,
    PreAuthKeyUsed,
    PreAuthKeyExpired,
    PreAuthKeyRevoked,

    /// <summary>Another machine holds the node key, now or as its previous one.</summary>
    NodeKeyInUse,
    NodeUnknown,
    UserUnknown,

    /// <summary>The policy does not let the user give the tag.</summary>
    TagNotOwned,

    /// <summary>Another node, or another user, of the network has the name.</summary>
    NameTaken,

    /// <summary>The node logged out, is not approved, or its authorisation ended.</summary>
    NodeNotMember,

    /// <summary>A rotation is still under way.</summary>
    RotationUnderWay,
    AddressPoolExhausted,

    /// <summary>Someone else changed it since the sender looked.</summary>
    Outdated,

    /// <summary>The network is deleted, or is not.</summary>
    NetworkDeleted,

    /// <summary>The policy is none, does not fit the network or fails its own tests; the message says where, first of all.</summary>
    PolicyRefused,

    /// <summary>A person's data can't be erased while it is in use; the message names what uses it.</summary>
    StillInUse,

    /// <summary>A value outside its alphabet or bounds; the message names it.</summary>
    Invalid,

    /// <summary>The network holds as many of these as it may; the message says which.</summary>
    LimitReached,
}

/// <summary>A command that the state does not allow. The message is one line for people and holds no secret.</summary>
public sealed class CommandRefusedException(RefusalReason reason, string message) : Exception(message)
{
    public RefusalReason Reason { get; } = reason;

    /// <summary>The command's value at fault, by its name in the APIs; null for none in particular.</summary>
    public string? Field { get; init; }
}
