namespace Mesh.Node.Control;

public enum ControlPhase
{
    /// <summary>No poll is open; waiting for the next try, or trying.</summary>
    Connecting,

    /// <summary>The poll is open and the map current.</summary>
    Connected,

    /// <summary>Registered, but an administrator has to let the machine in.</summary>
    Pending,

    /// <summary>The machine's authorisation has ended: it keeps its place, and asks now and then whether it was given anew.</summary>
    Expired,

    /// <summary>The coordinator says that this machine is no member: nothing goes on until the user joins again.</summary>
    Removed,
}

/// <summary>How it stands between this node and its coordinator. Immutable; a new one is published for every change.</summary>
/// <param name="LastError">Why the newest try failed; null after a success.</param>
/// <param name="ApprovalCode">Of <see cref="ControlPhase.Pending"/>.</param>
/// <param name="Warnings">For the user: clocks apart, a copied state directory, a fork of the log.</param>
public sealed record ControlStatus(
    ControlPhase Phase, string? LastError, string? ApprovalCode, ControlWarnings Warnings)
{
    public static readonly ControlStatus Initial = new(ControlPhase.Connecting, null, null, ControlWarnings.None);
}

[Flags]
public enum ControlWarnings
{
    None = 0,

    /// <summary>This clock and the coordinator's are further apart than <see cref="Mesh.Protocol.Control.ControlLimits.ClockTolerance"/>.</summary>
    ClockApart = 1,

    /// <summary>Another machine runs with a copy of this state directory.</summary>
    CopiedState = 2,

    /// <summary>The coordinator showed two logs that cannot both be true, or went back behind what this node had seen.</summary>
    LogFork = 4,
}
