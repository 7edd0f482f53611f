using System.Globalization;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Microsoft.AspNetCore.Http;

namespace Mesh.Coordinator.Admin;

/// <summary>Which events of a log someone wants. What is null does not matter.</summary>
/// <param name="Actor">A part of who did it, such as "admin", "uid 1000" or a node's name.</param>
/// <param name="Node">A node's id, or its name at the time.</param>
/// <param name="Until">Exclusive.</param>
internal sealed record LogQuery(
    long After, int Limit, string? Actor, string? Node, EventKind? Kind, DateTimeOffset? Since, DateTimeOffset? Until)
{
    /// <summary>Events in one answer; an export has no end of its own.</summary>
    public const int MaxEvents = 1000;

    public static AdminQueryParameter[] Parameters(long maxLimit) =>
    [
        new("after", "Only events after this position.", 0, long.MaxValue), new("limit", "At most so many events.", 1, maxLimit),
        new("actor", "Only what someone did: a part of who it was."), new("node", "Only events about a node: its id, or its name at the time."),
        new("kind", "Only events of a kind."), new("since", "Only events from then on, RFC 3339."), new("until", "Only events before then, RFC 3339."),
    ];

    public static LogQuery Of(HttpContext context, long after, int limit) => new(
        after, limit, Text(context, "actor"), Text(context, "node"), KindOf(context), Time(context, "since"), Time(context, "until"));

    public bool Matches(LogLine line) =>
        line.Position > After
        && (Actor is null || line.Who.Contains(Actor, StringComparison.OrdinalIgnoreCase))
        && (Node is null || line.NodeName == Node || (line.NodeId != 0 && line.NodeId.ToString(CultureInfo.InvariantCulture) == Node))
        && (Kind is null || line.Kind == Kind)
        && (Since is null || line.Time >= Since)
        && (Until is null || line.Time < Until);

    private static string? Text(HttpContext context, string name)
    {
        string? text = context.Request.Query[name];
        return text is { Length: > 256 } ? throw new ProblemException(Problems.Invalid(name, "is over 256 characters")) : text;
    }

    private static EventKind? KindOf(HttpContext context)
    {
        if (Text(context, "kind") is not { } text) return null;
        return Enum.TryParse<EventKind>(text, ignoreCase: true, out var kind) && Enum.IsDefined(kind) && !char.IsAsciiDigit(text[0])
            ? kind
            : throw new ProblemException(Problems.Invalid("kind", $"is none of {string.Join(", ", Enum.GetNames<EventKind>())}"));
    }

    private static DateTimeOffset? Time(HttpContext context, string name)
    {
        if (Text(context, name) is not { } text) return null;
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : throw new ProblemException(Problems.Invalid(name, "is not a time such as 2026-11-22T10:00:00Z"));
    }
}
