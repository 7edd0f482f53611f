using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>What kind of thing a name in a rule stands for.</summary>
public enum SelectorKind
{
    /// <summary>"*": every node, and what approved routers route.</summary>
    Everything,

    /// <summary>autogroup:danger-all: every address there is. A source only.</summary>
    DangerAll,

    /// <summary>autogroup:member: nodes without tags.</summary>
    Member,

    /// <summary>autogroup:tagged: nodes with tags.</summary>
    Tagged,

    /// <summary>autogroup:self: nodes of the same user, without tags. A destination only.</summary>
    Self,

    /// <summary>autogroup:internet: what exit nodes reach. A destination only.</summary>
    Internet,

    /// <summary>autogroup:owner, admin and other roles, and autogroup:shared, which this coordinator has none of: nobody.</summary>
    Role,

    /// <summary>A user, by e-mail or name.</summary>
    User,

    /// <summary>user:*@domain: every user with an e-mail of the domain.</summary>
    UserDomain,

    /// <summary>group:...</summary>
    Group,

    /// <summary>tag:...</summary>
    Tag,

    /// <summary>A name of "hosts".</summary>
    Host,

    /// <summary>An address or a prefix.</summary>
    Prefix,
}

/// <summary>A name in a rule: who, or where to.</summary>
/// <param name="Text">As it is written, without spaces around it.</param>
/// <param name="Prefix">Of <see cref="SelectorKind.Prefix"/>, and of a host once it is looked up.</param>
public sealed record Selector(SelectorKind Kind, string Text, PolicyPosition Position, IpPrefix Prefix = default)
{
    private static readonly ImmutableArray<string> Roles =
    [
        "autogroup:owner", "autogroup:admin", "autogroup:it-admin", "autogroup:network-admin", "autogroup:billing-admin",
        "autogroup:auditor", "autogroup:shared",
    ];

    /// <summary>Every autogroup that a rule may name.</summary>
    internal static ImmutableArray<string> Autogroups { get; } =
    [
        "autogroup:member", "autogroup:tagged", "autogroup:self", "autogroup:internet", "autogroup:danger-all", .. Roles,
    ];

    /// <summary>What the text stands for; null for something that looks like an autogroup but is none.</summary>
    internal static Selector? Parse(string text, PolicyPosition position)
    {
        text = text.Trim();
        if (IpPrefix.TryParse(text, out var prefix)) return new Selector(SelectorKind.Prefix, text, position, prefix);
        SelectorKind? kind = text switch
        {
            "*" => SelectorKind.Everything,
            "autogroup:danger-all" => SelectorKind.DangerAll,
            "autogroup:member" or "autogroup:members" => SelectorKind.Member,
            "autogroup:tagged" => SelectorKind.Tagged,
            "autogroup:self" => SelectorKind.Self,
            "autogroup:internet" => SelectorKind.Internet,
            _ when text.StartsWith("autogroup:", StringComparison.Ordinal) => Roles.Contains(text) ? SelectorKind.Role : null,
            _ when text.StartsWith("user:*@", StringComparison.Ordinal) => SelectorKind.UserDomain,
            _ when text.Contains('@', StringComparison.Ordinal) => SelectorKind.User,
            _ when text.StartsWith("group:", StringComparison.Ordinal) => SelectorKind.Group,
            _ when text.StartsWith("tag:", StringComparison.Ordinal) => SelectorKind.Tag,
            _ => SelectorKind.Host,
        };
        return kind is { } known ? new Selector(known, text, position) : null;
    }

    public bool IsLiteral => Kind is SelectorKind.Host or SelectorKind.Prefix;

    /// <summary>Whether the text is a user's e-mail address, or his name, which may be written with an @ behind it.</summary>
    internal bool IsUser(string name, string email)
    {
        return Text.Length > 0 && (Is(email) || Is(name) || (name.Length > 0 && Is(name + "@")));

        bool Is(string written) => Text.Equals(written, StringComparison.OrdinalIgnoreCase);
    }

    public override string ToString() => Text;
}
