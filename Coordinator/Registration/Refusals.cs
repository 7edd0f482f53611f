using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Registration;

/// <summary>What a refused or failed command answers, in both APIs.</summary>
internal static class Refusals
{
    public static Problem ToProblem(CommandRefusedException refusal)
    {
        var (status, type, title) = refusal.Reason switch
        {
            RefusalReason.PreAuthKeyRequired => (403, ProblemType.NotRegistered, "Not a member"),
            RefusalReason.PreAuthKeyUnknown => (403, ProblemType.KeyUnknown, "Unknown pre-auth key"),
            RefusalReason.PreAuthKeyUsed => (403, ProblemType.KeyUsed, "Pre-auth key used"),
            RefusalReason.PreAuthKeyExpired => (403, ProblemType.KeyExpired, "Pre-auth key expired"),
            RefusalReason.PreAuthKeyRevoked => (403, ProblemType.KeyRevoked, "Pre-auth key revoked"),
            RefusalReason.NodeKeyInUse => (409, ProblemType.NodeKeyTaken, "Node key taken"),
            RefusalReason.NodeUnknown => (404, ProblemType.NotFound, "Unknown node"),
            RefusalReason.UserUnknown => (404, ProblemType.NotFound, "Unknown user"),
            RefusalReason.TagNotOwned => (403, ProblemType.Conflict, "Tag not owned"),
            RefusalReason.NodeNotMember => (403, ProblemType.NotRegistered, "Not a member"),
            RefusalReason.RotationUnderWay => (429, ProblemType.Busy, "Rotation under way"),
            RefusalReason.AddressPoolExhausted => (503, ProblemType.AddressesExhausted, "No free address"),
            RefusalReason.NameTaken => (409, ProblemType.Conflict, "Name taken"),
            RefusalReason.NetworkDeleted => (409, ProblemType.Conflict, "Network deleted or not"),
            RefusalReason.StillInUse => (409, ProblemType.Conflict, "Still in use"),
            RefusalReason.Outdated => (412, ProblemType.Outdated, "Changed meanwhile"),
            RefusalReason.PolicyRefused => (400, ProblemType.Malformed, "Policy refused"),
            RefusalReason.Invalid => (400, ProblemType.Malformed, "Invalid value"),
            RefusalReason.LimitReached => (503, ProblemType.Unavailable, "Limit reached"),
            _ => (500, ProblemType.Internal, "Refused"),
        };
        return new Problem(status, type, title, refusal.Message, refusal.Field);
    }

    /// <summary>The log could not be written. What exactly failed is for our log, not for who asks.</summary>
    public static Problem ToProblem(LogStoreException failure) => new(503, ProblemType.Unavailable, "Change not stored",
        failure.IsTransient
            ? "The coordinator could not store the change; nothing was changed. Try again later."
            : "The coordinator could not store the change. Try again later; its log says more.")
    { RetryAfter = TimeSpan.FromSeconds(5) };
}
