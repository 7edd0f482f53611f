using System.Collections.Immutable;
using System.Text.Json;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>Groups, hosts, tags and the other names that rules use.</summary>
internal sealed partial class PolicyReader
{
    private static readonly string[] ApproverNames = ["routes", "exitNode"];
    private static readonly string[] NodeAttributeNames = ["target", "attr", "ipPool", "app"];
    private static readonly IpPrefix SharedSpace = IpPrefix.Parse("100.64.0.0/10");

    private static readonly IpPrefix[] ReservedPools = [IpPrefix.Parse("100.100.100.0/24"), IpPrefix.Parse("100.115.92.0/23")];

    private void ReadGroups(PolicyJson? groups)
    {
        foreach (var group in groups?.Members ?? [])
        {
            if (!group.Name.StartsWith("group:", StringComparison.Ordinal) || group.Name.Length == "group:".Length)
            {
                Refuse(group.Position, $"group must start with 'group:', got: {HuJson.Quote(group.Name)}", $"did you mean group:{group.Name.TrimStart(':')}?");
                continue;
            }
            if (group.Value.Kind != JsonValueKind.Array)
            {
                Refuse(group.Value.Position, $"group value must be an array of users: group {HuJson.Quote(group.Name)} is {group.Value.KindName}");
                continue;
            }
            List<Selector> members = [];
            foreach (var (text, position) in Strings(group.Value, group.Name))
            {
                string user = text.Trim();
                if (user.StartsWith("group:", StringComparison.Ordinal))
                    Refuse(position, $"groups[{HuJson.Quote(group.Name)}]: {HuJson.Quote(user)}: group members cannot be recursive", "list the users themselves");
                else if (!user.Contains('@', StringComparison.Ordinal))
                    Refuse(position, $"username must contain @, got: {HuJson.Quote(user)}", user.Contains(':', StringComparison.Ordinal) ? "a group holds users only" : $"did you mean {user}@?");
                else
                    members.Add(new Selector(SelectorKind.User, user, position));
            }
            _groups[group.Name] = [.. members];
        }
    }

    private void ReadHosts(PolicyJson? hosts)
    {
        foreach (var host in hosts?.Members ?? [])
        {
            if (host.Name.Length == 0 || host.Name.Contains('@', StringComparison.Ordinal) || host.Name.Contains(':', StringComparison.Ordinal) || IpPrefix.TryParse(host.Name, out _))
                Refuse(host.Position, $"invalid hostname: {HuJson.Quote(host.Name)}");
            else if (host.Value.Kind != JsonValueKind.String || !IpPrefix.TryParse(host.Value.Text.Trim(), out var prefix))
                Refuse(host.Value.Position, $"hostname contains invalid IP address: hostname {HuJson.Quote(host.Name)} address {HuJson.Quote(host.Value.Text)}");
            else
                _hosts[host.Name] = prefix;
        }
    }

    private void ReadTagOwners(PolicyJson? tags)
    {
        // Names first: a tag may own another that stands further down.
        foreach (var tag in tags?.Members ?? [])
        {
            if (TagProblem(tag.Name) is { } problem) Refuse(tag.Position, $"tagOwners[{HuJson.Quote(tag.Name)}]: {problem}");
            else _tagOwners[tag.Name] = [];
        }
        foreach (var tag in tags?.Members ?? [])
        {
            if (!_tagOwners.ContainsKey(tag.Name)) continue;
            if (tag.Value.Kind != JsonValueKind.Array)
            {
                if (tag.Value.Kind != JsonValueKind.Null)
                    Refuse(tag.Value.Position, $"tagOwners[{HuJson.Quote(tag.Name)}] is {tag.Value.KindName}; it must be an array of users, groups and tags");
                continue;
            }
            _tagOwners[tag.Name] = ReadOwners(tag.Value, $"tagOwners[{HuJson.Quote(tag.Name)}]");
        }
    }

    /// <summary>Users, groups, tags and autogroups that may give a tag or be given a route.</summary>
    private ImmutableArray<Selector> ReadOwners(PolicyJson list, string name)
    {
        List<Selector> owners = [];
        foreach (var (text, position) in Strings(list, name))
        {
            var owner = Selector.Parse(text, position);
            if (owner is null || owner.Kind is not (SelectorKind.User or SelectorKind.Group or SelectorKind.Tag or SelectorKind.Role or SelectorKind.Member))
                Refuse(position, $"{name}: invalid owner {HuJson.Quote(text)}", "an owner is a user, a group: or a tag:");
            else if (CheckDeclared(owner, message => message))
                owners.Add(owner);
        }
        return [.. owners];
    }

    private AutoApprovers ReadAutoApprovers(PolicyJson? approvers)
    {
        if (approvers is null) return AutoApprovers.None;
        foreach (var member in approvers.Members) CheckName(member, ApproverNames);
        List<KeyValuePair<IpPrefix, ImmutableArray<Selector>>> routes = [];
        foreach (var route in Member(approvers, "routes", JsonValueKind.Object)?.Members ?? [])
        {
            if (!IpPrefix.TryParse(route.Name, out var prefix)) Refuse(route.Position, $"autoApprovers.routes: invalid prefix {HuJson.Quote(route.Name)}");
            else if (route.Value.Kind != JsonValueKind.Array) Refuse(route.Value.Position, $"autoApprovers.routes[{HuJson.Quote(route.Name)}] is {route.Value.KindName}; it must be an array");
            else routes.Add(new(prefix, ReadOwners(route.Value, $"autoApprovers.routes[{HuJson.Quote(route.Name)}]")));
        }
        var exit = Member(approvers, "exitNode", JsonValueKind.Array);
        return new AutoApprovers([.. routes], exit is null ? [] : ReadOwners(exit, "autoApprovers.exitNode"));
    }

    private void ReadPostures(PolicyJson? postures, PolicyJson? defaults)
    {
        foreach (var posture in postures?.Members ?? [])
        {
            if (!posture.Name.StartsWith("posture:", StringComparison.Ordinal))
                Refuse(posture.Position, $"posture must start with 'posture:', got: {HuJson.Quote(posture.Name)}");
            else if (posture.Value.Kind != JsonValueKind.Array)
                Refuse(posture.Value.Position, $"postures[{HuJson.Quote(posture.Name)}] is {posture.Value.KindName}; it must be an array of conditions");
            else
                _ = Strings(posture.Value, posture.Name).Count();
            _postures.Add(posture.Name);
        }
        foreach (var (text, position) in Strings(defaults, "defaultSrcPosture"))
        {
            CheckPosture(text, position);
            _hasDefaultPosture = true;
        }
        if (postures is { Members.Count: > 0 })
            Note(postures.Position, "postures are not checked here: a rule that asks for one (srcPosture, defaultSrcPosture) grants nothing");
    }

    private void CheckPosture(string name, PolicyPosition position)
    {
        if (!_postures.Contains(name)) Refuse(position, $"posture not found: {HuJson.Quote(name)}", Spelling.Suggest(name, _postures));
    }

    private void ReadNodeAttributes(PolicyJson? list)
    {
        foreach (var (entry, _) in Each(list, "nodeAttrs"))
        {
            foreach (var member in entry.Members) CheckName(member, NodeAttributeNames);
            List<Selector> targets = [];
            foreach (var (text, position) in Strings(entry, "target", true))
            {
                var target = Selector.Parse(text, position);
                if (target is null || target.Kind is SelectorKind.Self or SelectorKind.Internet or SelectorKind.DangerAll)
                    Refuse(position, $"nodeAttrs target does not support this autogroup: {HuJson.Quote(text)}", "use autogroup:member or autogroup:tagged");
                else if (CheckDeclared(target, message => message))
                    targets.Add(target);
            }
            if (Strings(entry, "attr", true).ToList().Exists(attribute => attribute.Text == "disable-ipv4")) _withoutIPv4.AddRange(targets);
            foreach (var (text, position) in Strings(entry, "ipPool", true))
            {
                if (!IpPrefix.TryParse(text, out var pool) || !SharedSpace.Contains(pool))
                    Refuse(position, $"nodeAttrs ipPool must be within 100.64.0.0/10: {HuJson.Quote(text)}");
                else if (ReservedPools.FirstOrDefault(pool.Overlaps) is { Length: > 0 } reserved)
                    Refuse(position, $"nodeAttrs ipPool must not overlap reserved Tailscale ranges: {HuJson.Quote(text)} overlaps {HuJson.Quote(reserved.ToString())}");
            }
        }
        if (list is { Items.Count: > 0 }) Note(list.Position, "nodeAttrs (attributes and ipPool) are kept, but have no effect on nodes");
    }

    /// <summary>What is wrong with a tag's name, or null. Letters that only look like ASCII are none.</summary>
    private static string? TagProblem(string tag)
    {
        if (!tag.StartsWith("tag:", StringComparison.Ordinal)) return "tags must start with 'tag:'";
        string name = tag["tag:".Length..];
        if (name.Length == 0) return "tag names must not be empty";
        if (!char.IsAsciiLetter(name[0])) return "tag names must start with a letter, after 'tag:'";
        return name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-') ? null : "tag names can only contain numbers, letters, or dashes";
    }

    /// <summary>Whether a group, tag or host is declared; a problem when not.</summary>
    /// <param name="wording">Given "tag not found: ..." and its like, the problem's message.</param>
    private bool CheckDeclared(Selector selector, Func<string, string> wording)
    {
        switch (selector.Kind)
        {
            case SelectorKind.Group when !_groups.ContainsKey(selector.Text):
                Refuse(selector.Position, wording($"group not found: {HuJson.Quote(selector.Text)}"), Spelling.Suggest(selector.Text, _groups.Keys));
                return false;
            case SelectorKind.Tag when !_tagOwners.ContainsKey(selector.Text):
                Refuse(selector.Position, wording($"tag not found: {HuJson.Quote(selector.Text)}"), Spelling.Suggest(selector.Text, _tagOwners.Keys));
                return false;
            case SelectorKind.Host when !_hosts.ContainsKey(selector.Text):
                Refuse(selector.Position, $"{HuJson.Quote(selector.Text)}: invalid address", SuggestName(selector.Text));
                return false;
            default:
                return true;
        }
    }

    /// <summary>A bare word may have lost its prefix: server for tag:server, alice for alice@.</summary>
    private string? SuggestName(string text)
    {
        string[] known = [.. _tagOwners.Keys, .. _groups.Keys];
        string? prefixed = known.FirstOrDefault(name => name.EndsWith(":" + text, StringComparison.Ordinal));
        return prefixed is not null ? $"did you mean {prefixed}?" : Spelling.Suggest(text, [.. _hosts.Keys, .. known, .. Selector.Autogroups]);
    }
}
