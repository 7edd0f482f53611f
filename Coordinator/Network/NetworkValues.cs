using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Mesh.Coordinator.Network;

/// <summary>The alphabets of values that people choose. Each check returns the value in canonical form or refuses.</summary>
internal static partial class NetworkValues
{
    private static readonly HostFacts EmptyFacts = HostFacts.Unknown;

    public static string CheckUser(string user)
    {
        if (user.Length > NetworkLimits.UserChars || user.Any(c => char.IsControl(c) || char.IsSurrogate(c)))
            throw Invalid($"A user name has at most {NetworkLimits.UserChars} characters, none of them control characters.", "user");
        return user;
    }

    /// <summary>Sorted, without duplicates.</summary>
    public static ImmutableArray<string> CheckTags(ImmutableArray<string> tags)
    {
        if (tags.Length > NetworkLimits.TagsPerNode)
            throw Invalid($"At most {NetworkLimits.TagsPerNode} tags.", "tags");
        foreach (var tag in tags)
        {
            if (tag.Length > NetworkLimits.TagChars || !TagPattern().IsMatch(tag))
            {
                throw Invalid(
                    "A tag is \"tag:\", a letter, and then letters, digits and '-', " +
                    $"at most {NetworkLimits.TagChars} characters in all.", "tags");
            }
        }

        return [.. tags.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    /// <summary>Host facts as protobuf; the callers' parsers have bounded them.</summary>
    public static Events.HostFacts Write(HostFacts? host)
    {
        host ??= EmptyFacts;
        return new Events.HostFacts
        {
            Hostname = host.Hostname,
            Os = host.Os,
            OsVersion = host.OsVersion,
            Architecture = host.Architecture,
            MeshVersion = host.MeshVersion,
            Capabilities = host.Capabilities,
        };
    }

    public static CommandRefusedException Invalid(string message, string? field = null) => new(RefusalReason.Invalid, message) { Field = field };

    public static CommandRefusedException UnknownNode(ulong id) =>
        new(RefusalReason.NodeUnknown, $"There is no node {id} in this network.") { Field = "node" };

    public static CommandRefusedException OtherCommand() =>
        Invalid("This idempotency key was used for another command. Choose a new one.", "Idempotency-Key");

    [GeneratedRegex("^tag:[a-zA-Z][a-zA-Z0-9-]*\\z", RegexOptions.CultureInvariant)]
    private static partial Regex TagPattern();
}
