using System.Collections.Immutable;
using System.Text.Json;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>
/// Turns a policy's JSON into a <see cref="PolicyDocument"/>. Declarations come first, whatever their place in the text, so
/// that a rule's names can be looked up; what is wrong is collected and told together.
/// </summary>
internal sealed partial class PolicyReader(PolicyJson root)
{
    private static readonly string[] Sections =
    [
        "acls", "grants", "groups", "hosts", "tagOwners", "autoApprovers", "tests", "ssh", "sshTests", "nodeAttrs", "postures",
        "defaultSrcPosture", "randomizeClientPort", "derpMap", "disableIPv4", "OneCGNATRoute",
    ];

    private readonly List<PolicyProblem> _problems = [];
    private readonly List<PolicyProblem> _notices = [];
    private readonly Dictionary<string, ImmutableArray<Selector>> _groups = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IpPrefix> _hosts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ImmutableArray<Selector>> _tagOwners = new(StringComparer.Ordinal);
    private readonly HashSet<string> _postures = new(StringComparer.Ordinal);
    private readonly List<Selector> _withoutIPv4 = [];
    private bool _hasDefaultPosture;

    public PolicyDocument Read(string text, string hash)
    {
        if (root.Kind != JsonValueKind.Object) throw new PolicyRefusedException(root.Position, $"a policy is an object, not {root.KindName}");
        foreach (var member in root.Members) CheckName(member, Sections);
        ReadGroups(Section("groups", JsonValueKind.Object));
        ReadHosts(Section("hosts", JsonValueKind.Object));
        ReadTagOwners(Section("tagOwners", JsonValueKind.Object));
        ReadPostures(Section("postures", JsonValueKind.Object), Section("defaultSrcPosture", JsonValueKind.Array));
        var acls = Section("acls", JsonValueKind.Array);
        var grants = Section("grants", JsonValueKind.Array);
        ThrowIfTooMany((acls?.Items.Count ?? 0) + (grants?.Items.Count ?? 0), acls ?? grants);
        ImmutableArray<PolicyRule> rules =
            [.. Each(acls, "acls").Select(ReadAcl).OfType<PolicyRule>(), .. Each(grants, "grants").Select(ReadGrant).OfType<PolicyRule>()];
        var approvers = ReadAutoApprovers(Section("autoApprovers", JsonValueKind.Object));
        ReadNodeAttributes(Section("nodeAttrs", JsonValueKind.Array));
        ImmutableArray<SshRule> ssh = [.. Each(Section("ssh", JsonValueKind.Array), "ssh").Select(ReadSshRule).OfType<SshRule>()];
        ImmutableArray<PolicyTest> tests = [.. Each(Section("tests", JsonValueKind.Array), "tests").Select(ReadTest).OfType<PolicyTest>()];
        ImmutableArray<SshTest> sshTests = [.. Each(Section("sshTests", JsonValueKind.Array), "sshTests").Select(ReadSshTest).OfType<SshTest>()];
        NoteIgnoredSettings();
        if (_problems.Count > 0) throw new PolicyRefusedException([.. _problems]);
        return new PolicyDocument
        {
            Text = text,
            Hash = hash,
            Groups = _groups.ToImmutableSortedDictionary(StringComparer.Ordinal),
            Hosts = _hosts.ToImmutableSortedDictionary(StringComparer.Ordinal),
            TagOwners = _tagOwners.ToImmutableSortedDictionary(StringComparer.Ordinal),
            Rules = rules,
            AllowsAllByDefault = acls is null && grants is null,
            AutoApprovers = approvers,
            Tests = tests,
            SshRules = ssh,
            SshTests = sshTests,
            WithoutIPv4 = [.. _withoutIPv4],
            Notices = [.. _notices],
        };
    }

    /// <summary>
    /// Collects a problem; reading ends with the last that is told, so that a text of nothing but wrong names costs no guess for
    /// each of them.
    /// </summary>
    private void Refuse(PolicyPosition position, string message, string? suggestion = null)
    {
        _problems.Add(new PolicyProblem(position, message, suggestion));
        if (_problems.Count == PolicyLimits.Problems) throw new PolicyRefusedException([.. _problems]);
    }

    private void Note(PolicyPosition position, string message) => _notices.Add(new PolicyProblem(position, message));

    private void CheckName(PolicyMember member, string[] known)
    {
        // "#..." is how some tools keep notes of their own.
        if (member.Name.StartsWith('#') || known.Contains(member.Name, StringComparer.OrdinalIgnoreCase)) return;
        Refuse(member.Position, $"unknown field: {HuJson.Quote(member.Name)}", Spelling.Suggest(member.Name, known));
    }

    /// <summary>A member, or null when it is missing, null, or of another kind, which is a problem.</summary>
    private PolicyJson? Member(PolicyJson value, string name, JsonValueKind kind)
    {
        var member = value.Members.FirstOrDefault(member => member.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        if (member is null || member.Value.Kind == JsonValueKind.Null || member.Value.Kind == kind) return member?.Value is { Kind: not JsonValueKind.Null } found ? found : null;
        string wanted = new PolicyJson(kind, default).KindName;
        Refuse(member.Value.Position, $"{name} is {member.Value.KindName}; it must be {wanted}");
        return null;
    }

    private PolicyJson? Section(string name, JsonValueKind kind) => Member(root, name, kind);

    /// <summary>The objects of a list, with their index; anything else in it is a problem.</summary>
    private IEnumerable<(PolicyJson Value, int Index)> Each(PolicyJson? list, string name)
    {
        for (int i = 0; i < (list?.Items.Count ?? 0); i++)
        {
            var item = list!.Items[i];
            if (item.Kind == JsonValueKind.Object) yield return (item, i);
            else Refuse(item.Position, $"{name}[{i}] is {item.KindName}; it must be an object");
        }
    }

    /// <summary>The strings of a list.</summary>
    private IEnumerable<(string Text, PolicyPosition Position)> Strings(PolicyJson? list, string name)
    {
        foreach (var item in list?.Items ?? [])
        {
            if (item.Kind == JsonValueKind.String) yield return (item.Text, item.Position);
            else Refuse(item.Position, $"{name} holds {item.KindName}; it must hold strings");
        }
    }

    private IEnumerable<(string Text, PolicyPosition Position)> Strings(PolicyJson value, string name, bool isMember) =>
        isMember ? Strings(Member(value, name, JsonValueKind.Array), name) : Strings(value, name);

    private (string Text, PolicyPosition Position) String(PolicyJson value, string name)
    {
        var found = Member(value, name, JsonValueKind.String);
        return found is null ? ("", value.Position) : (found.Text, found.Position);
    }

    private static void ThrowIfTooMany(int rules, PolicyJson? list)
    {
        if (rules > PolicyLimits.Rules)
            throw new PolicyRefusedException(list!.Position, $"{rules} rules; at most {PolicyLimits.Rules} are taken", "name groups and tags rather than a rule for each machine");
    }

    private void NoteIgnoredSettings()
    {
        foreach (string name in (string[])["randomizeClientPort", "derpMap", "disableIPv4", "OneCGNATRoute"])
        {
            var member = root.Members.FirstOrDefault(member => member.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
            if (member is not null) Note(member.Position, $"{name} has no effect here");
        }
    }
}
