using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Hosting;

/// <summary>The problems that both APIs answer with.</summary>
internal static class Problems
{
    public static Problem Malformed { get; } = new(400, ProblemType.Malformed, "Malformed message",
        "The body is not the message that this address takes. Is the other side of another version?");

    public static Problem TooLarge { get; } = new(413, ProblemType.TooLarge, "Message too large",
        $"A request holds at most {ControlLimits.RequestBodyBytes} bytes.");

    public static Problem NotFound { get; } = new(404, ProblemType.NotFound, "No such address",
        "This coordinator has no such address. Is it of another version?");

    public static Problem MethodNotAllowed { get; } = new(405, ProblemType.NotOffered, "Method not allowed",
        "This address does not take this method.");

    public static Problem UnsupportedMediaType { get; } = new(415, ProblemType.Malformed, "Unsupported media type",
        "The node API takes application/x-protobuf.");

    public static Problem ProtocolVersionRefused { get; } = new(426, ProblemType.Version, "Protocol version not spoken",
        $"This coordinator speaks versions {ProtocolVersion.Oldest} to {ProtocolVersion.Current} of the node API. Update the older side.",
        "header.protocol_version");

    public static Problem RateLimited { get; } = new(429, ProblemType.Busy, "Too many requests",
        "Too many requests came from this address. Wait, and try again.") { RetryAfter = TimeSpan.FromSeconds(1) };

    public static Problem Busy { get; } = new(429, ProblemType.Busy, "Busy",
        "The coordinator has too much to do. Wait, and try again.") { RetryAfter = TimeSpan.FromSeconds(5) };

    public static Problem ShuttingDown { get; } = new(503, ProblemType.Unavailable, "Shutting down",
        "The coordinator is about to stop. Try again.") { RetryAfter = TimeSpan.FromSeconds(5) };

    public static Problem Internal { get; } = new(500, ProblemType.Internal, "Internal fault",
        "The coordinator failed at this request; its log says more.");

    public static Problem UnknownNetwork { get; } = new(404, ProblemType.UnknownNetwork, "Unknown network",
        "This coordinator has no network of that name. Is the join link complete?", "header.network");

    public static Problem NotRegistered { get; } = new(403, ProblemType.NotRegistered, "Not a member",
        "This machine is not a member of the network. Join with a join link: mesh up LINK.");

    public static Problem Expired { get; } = new(403, ProblemType.Expired, "Authorisation ended",
        "This machine's authorisation has ended. Let it in again with a new link, or have it approved: mesh up LINK.");

    public static Problem WaitingRoomFull { get; } = new(429, ProblemType.Busy, "Too many machines wait",
        "Too many machines wait for approval. Ask an administrator for a link with a key, or try again later.") { RetryAfter = TimeSpan.FromSeconds(30) };

    public static Problem Invalid(string field, string rule) =>
        new(400, ProblemType.Malformed, "Invalid field", $"{field}: {rule}", field);
}
