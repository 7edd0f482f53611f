using Mesh.Node.Cli;
using Mesh.Node.Control;
using Mesh.Protocol.Control;

namespace Mesh.Node.Daemon;

/// <summary>What the coordinator's refusals mean to the person at the keyboard, and what to do about them.</summary>
internal static class ControlErrors
{
    public static UserException Explain(ControlException e) => e.Failure switch
    {
        ControlFailure.NotTrusted when e.Verdict == TrustVerdict.Expired => new(ExitCode.CoordinatorNotTrusted, e.Message,
            "Check this machine's clock (timedatectl), then try again.", e),
        ControlFailure.NotTrusted => new(ExitCode.CoordinatorNotTrusted, e.Message,
            "Ask your administrator for a new join link, and whether the address in it is right.", e),
        ControlFailure.Refused => new(ExitCode.Refused, What(e), Next(e), e),
        ControlFailure.BadAnswer => new(ExitCode.Refused, e.Message, "Update the older of the two sides.", e),
        _ => new(ExitCode.CoordinatorUnreachable, e.Message,
            "Check that the coordinator runs and that its port is open to this machine, then try again.", e),
    };

    private static string What(ControlException e) => e.ProblemType switch
    {
        ProblemType.KeyExpired => "the join link has expired",
        ProblemType.KeyUsed => "the join link was used already",
        ProblemType.KeyRevoked => "the join link was revoked by an administrator",
        ProblemType.KeyUnknown => "the coordinator does not know the key of this join link",
        ProblemType.UnknownNetwork => "the coordinator has no network of the name in the join link",
        ProblemType.Expired => "this machine's authorisation in the network has ended",
        ProblemType.NotRegistered => "this machine is no member of the network",
        ProblemType.NodeKeyTaken => "another machine of the network holds this node's key: the state directory was copied",
        ProblemType.AddressesExhausted => "the network has no free address left",
        ProblemType.Version => "this version of mesh and the coordinator's do not understand each other",
        _ => "the coordinator refused: " + e.Message.TrimEnd('.'),
    };

    private static string? Next(ControlException e) => e.ProblemType switch
    {
        ProblemType.KeyExpired or ProblemType.KeyUsed or ProblemType.KeyRevoked or ProblemType.KeyUnknown or ProblemType.NotRegistered or ProblemType.Expired =>
            "Ask your administrator for a new link (mesh-coordinator keys create), then: mesh up LINK",
        ProblemType.UnknownNetwork => "Check that the link is complete, or ask your administrator for a new one.",
        ProblemType.NodeKeyTaken => "Stop the daemon, remove node.key from its state directory, start it and join with a new link.",
        ProblemType.AddressesExhausted => "An administrator has to remove nodes that are no longer used, or widen the pool.",
        ProblemType.Version => "Update the older of the two.",
        ProblemType.Busy or ProblemType.Unavailable => "Try again in a moment.",
        _ => null,
    };
}
