using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>
/// A policy's text, read and found right in itself: every name it uses is declared, every address and port is one. Independent
/// of users and nodes. Immutable.
/// </summary>
public sealed class PolicyDocument
{
    /// <summary>The text as it was given, comments and all.</summary>
    public required string Text { get; init; }

    /// <summary>SHA-256 over the text, in lower-case hex: what an edit names to say which text it started from.</summary>
    public required string Hash { get; init; }

    /// <summary>"group:..." to its users.</summary>
    public ImmutableSortedDictionary<string, ImmutableArray<Selector>> Groups { get; init; } =
        ImmutableSortedDictionary.Create<string, ImmutableArray<Selector>>(StringComparer.Ordinal);

    public ImmutableSortedDictionary<string, IpPrefix> Hosts { get; init; } =
        ImmutableSortedDictionary.Create<string, IpPrefix>(StringComparer.Ordinal);

    /// <summary>"tag:..." to the users, groups and tags that may give it.</summary>
    public ImmutableSortedDictionary<string, ImmutableArray<Selector>> TagOwners { get; init; } =
        ImmutableSortedDictionary.Create<string, ImmutableArray<Selector>>(StringComparer.Ordinal);

    /// <summary>acls and grants, in the order of the text within each.</summary>
    public ImmutableArray<PolicyRule> Rules { get; init; } = [];

    /// <summary>
    /// Neither "acls" nor "grants" stand in the text: then, as in Tailscale, everybody reaches everybody. An empty list of
    /// either denies all.
    /// </summary>
    public bool AllowsAllByDefault { get; init; }

    public AutoApprovers AutoApprovers { get; init; } = AutoApprovers.None;

    public ImmutableArray<PolicyTest> Tests { get; init; } = [];

    public ImmutableArray<SshRule> SshRules { get; init; } = [];

    public ImmutableArray<SshTest> SshTests { get; init; } = [];

    /// <summary>The nodes that others reach by IPv6 alone (the attribute disable-ipv4).</summary>
    public ImmutableArray<Selector> WithoutIPv4 { get; init; } = [];

    /// <summary>What of the text is kept but not enforced on nodes, and what it therefore means, a sentence each.</summary>
    public ImmutableArray<PolicyProblem> Notices { get; init; } = [];

    /// <exception cref="PolicyRefusedException">The text is no policy; says where and why.</exception>
    public static PolicyDocument Parse(ReadOnlySpan<byte> utf8) => new PolicyReader(HuJson.Read(utf8)).Read(
        Encoding.UTF8.GetString(utf8), Convert.ToHexStringLower(SHA256.HashData(utf8)));

    /// <inheritdoc cref="Parse(ReadOnlySpan{byte})"/>
    public static PolicyDocument Parse(string text) => Parse(Encoding.UTF8.GetBytes(text));

    /// <summary>
    /// Whether tagOwners let a user give a tag to machines: named himself, by a group, as any user, or as an owner of a tag that
    /// owns it, since a machine of that one could give it.
    /// </summary>
    public bool MayGiveTag(string user, string email, string tag)
    {
        HashSet<string> seen = new(StringComparer.Ordinal) { tag };
        Queue<string> tags = new(seen);
        while (tags.TryDequeue(out string? next))
        {
            if (!TagOwners.TryGetValue(next, out var owners)) continue;
            if (owners.Any(IsUser)) return true;
            foreach (var owner in owners)
                if (owner.Kind == SelectorKind.Tag && seen.Add(owner.Text)) tags.Enqueue(owner.Text);
        }
        return false;

        bool IsUser(Selector owner) => owner.Kind switch
        {
            SelectorKind.Member => true,
            SelectorKind.User => owner.IsUser(user, email),
            SelectorKind.Group => Groups[owner.Text].Any(member => member.IsUser(user, email)),
            _ => false,
        };
    }

    /// <summary>What to say of a tag that tagOwners do not declare, though they declare others; null for any other.</summary>
    public string? ProblemOfTag(string tag) => TagOwners.IsEmpty || TagOwners.ContainsKey(tag) ? null
        : $"The policy's tagOwners do not declare {tag}{(Spelling.Suggest(tag, TagOwners.Keys) is { } guess ? $"; {guess}" : ".")}";

    /// <summary>A host's or literal's prefix; null for what is neither.</summary>
    internal IpPrefix? LiteralOf(Selector selector) => selector.Kind switch
    {
        SelectorKind.Prefix => selector.Prefix,
        SelectorKind.Host => Hosts[selector.Text],
        _ => null,
    };
}

/// <summary>Who may route what without being asked.</summary>
/// <param name="Routes">Prefix to users, groups and tags; it holds for prefixes inside it too.</param>
/// <param name="ExitNode">Who may be an exit node.</param>
public sealed record AutoApprovers(
    ImmutableArray<KeyValuePair<IpPrefix, ImmutableArray<Selector>>> Routes, ImmutableArray<Selector> ExitNode)
{
    public static AutoApprovers None { get; } = new([], []);
}

/// <summary>An assertion of "tests": what a source must and must not reach.</summary>
/// <param name="Protocol">An IP protocol number; null for TCP, UDP and ICMP.</param>
public sealed record PolicyTest(
    int Index, PolicyPosition Position, Selector Source, byte? Protocol, ImmutableArray<TestDestination> Accept, ImmutableArray<TestDestination> Deny);

/// <summary>One port of one destination.</summary>
public sealed record TestDestination(string Text, PolicyPosition Position, Selector Target, ushort Port);

public enum SshAction
{
    Accept,
    Check,
}

/// <summary>A rule of "ssh": kept, and asked by <see cref="SshTest"/>; nodes do not enforce it.</summary>
public sealed record SshRule(
    int Index, PolicyPosition Position, SshAction Action, ImmutableArray<Selector> Sources, ImmutableArray<Selector> Destinations, ImmutableArray<string> Users);

/// <summary>An assertion of "sshTests": as which users a source may log in at each destination.</summary>
public sealed record SshTest(
    int Index, PolicyPosition Position, Selector Source, ImmutableArray<Selector> Destinations,
    ImmutableArray<string> Accept, ImmutableArray<string> Deny, ImmutableArray<string> Check);
