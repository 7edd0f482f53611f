using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Mesh.Coordinator.Network;

/// <summary>The alphabets of values that people choose. Each check returns the value in canonical form or refuses.</summary>
internal static partial class NetworkValues
{
    private static readonly HostFacts EmptyFacts = HostFacts.Unknown;

    /// <summary>In lower case: Ann@example.com and ann@example.com are one person.</summary>
    public static string CheckUserName(string name)
    {
        var canonical = name.ToLowerInvariant();
        if (canonical.Length > NetworkLimits.UserChars || !UserNamePattern().IsMatch(canonical) || canonical.All(char.IsAsciiDigit))
        {
            throw Invalid(
                $"A user's name has 1 to {NetworkLimits.UserChars} of a-z, 0-9 and . _ + - @, begins with a letter or digit, does not end with @, and is no mere number.", "name");
        }

        return canonical;
    }

    /// <summary>A text that is only shown.</summary>
    public static string CheckLabel(string label, string field)
    {
        if (label.Length > NetworkLimits.UserLabelChars || label.Any(c => char.IsControl(c) || char.IsSurrogate(c) || char.GetUnicodeCategory(c) == UnicodeCategory.Format))
            throw Invalid($"A label has at most {NetworkLimits.UserLabelChars} characters, none of them control or formatting characters.", field);
        return label;
    }

    /// <summary>The user of that login.</summary>
    public static User FindUser(NetworkState state, string name) =>
        state.FindUser(name.ToLowerInvariant()) ?? throw new CommandRefusedException(
            RefusalReason.UserUnknown, "This network has no such user; 'mesh-coordinator users create' makes one.") { Field = "user" };

    /// <summary>
    /// Refuses tags that the policy does not let a user give, or does not know. Who administers without naming a user gives any that
    /// it declares; a policy that declares none leaves all of them to administrators.
    /// </summary>
    public static void CheckTagRights(NetworkState state, User? user, IEnumerable<string> tags)
    {
        var policy = state.Policy.Program.Document;
        if (policy.TagOwners.IsEmpty)
            return;
        foreach (var tag in tags)
        {
            if (policy.ProblemOfTag(tag) is { } problem)
                throw Invalid(problem, "tags");
            if (user is not null && !policy.MayGiveTag(user.Name, user.Email, tag))
                throw new CommandRefusedException(RefusalReason.TagNotOwned, $"The policy's tagOwners do not let {user.Name} give {tag}.") { Field = "tags" };
        }
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

    public static CommandRefusedException UnknownUser(ulong id) =>
        new(RefusalReason.UserUnknown, $"There is no user {id} in this network.") { Field = "user" };

    public static CommandRefusedException OtherCommand() =>
        Invalid("This idempotency key was used for another command. Choose a new one.", "Idempotency-Key");

    [GeneratedRegex("^[a-z0-9]([a-z0-9._+@-]*[a-z0-9._+-])?\\z", RegexOptions.CultureInvariant)]
    private static partial Regex UserNamePattern();

    [GeneratedRegex("^tag:[a-zA-Z][a-zA-Z0-9-]*\\z", RegexOptions.CultureInvariant)]
    private static partial Regex TagPattern();
}
