using System.Collections.Immutable;
using System.Text.Json;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>acls and grants.</summary>
internal sealed partial class PolicyReader
{
    // "users" and "ports" are what src and dst were called once.
    private static readonly string[] AclNames = ["action", "src", "dst", "proto", "users", "ports", "srcPosture"];
    private static readonly string[] GrantNames = ["src", "dst", "ip", "app", "via", "srcPosture"];

    /// <summary>The capabilities of the reference's own domain that a policy may grant; the others come along with these.</summary>
    private static readonly string[] GrantableOwn =
    [
        "tailscale.com/cap/drive", "tailscale.com/cap/relay", "tailscale.com/cap/webui", "tailscale.com/cap/kubernetes",
        "tailscale.com/cap/tsidp", "tailscale.com/cap/secrets", "tailscale.com/cap/golink",
    ];

    private PolicyRule? ReadAcl((PolicyJson Value, int Index) entry)
    {
        var (acl, index) = entry;
        int before = _problems.Count;
        foreach (var member in acl.Members) CheckName(member, AclNames);
        var (action, actionAt) = String(acl, "action");
        if (action.Trim() != "accept")
            Refuse(actionAt, $"action={HuJson.Quote(action)} is not supported: invalid ACL action", "the only action is \"accept\": what no rule accepts is denied");
        var protocols = ReadAclProtocol(acl);
        var sources = ReadSources(acl, HasMember(acl, "users") ? "users" : "src");
        List<(Selector Target, ImmutableArray<PortSpan> Ports)> targets = [];
        foreach (var (text, position) in Strings(acl, HasMember(acl, "ports") ? "ports" : "dst", true))
        {
            if (ReadDestinationWithPorts(text, position, out string? problem, out string? suggestion) is not { } target)
            {
                if (problem is not null) Refuse(position, problem, suggestion);
                continue;
            }
            if (!CheckDestination(target.Target, $"dst={HuJson.Quote(target.Target.Text)}: ")) continue;
            if (!target.Ports.IsEmpty && !protocols.All(IpProtocols.HasPorts))
                Refuse(position, $"protocol does not support specific ports: {HuJson.Quote(IpProtocols.NameOf(protocols[0]))}, only \"*\" is allowed", $"did you mean {target.Target.Text}:*?");
            targets.Add(target);
        }
        CheckSelf(sources, targets.Select(target => target.Target), allowEverything: true);
        bool needsPosture = ReadSourcePosture(acl);
        if (_problems.Count > before) return null;
        // Destinations of the same ports are one access: nothing tells them apart.
        var accesses = targets.GroupBy(target => string.Join(',', target.Ports), StringComparer.Ordinal)
            .Select(group => new PolicyAccess([.. group.Select(target => target.Target)], protocols, group.First().Ports));
        return new PolicyRule("acls", index, acl.Position) { Sources = sources, Accesses = [.. accesses], NeedsPosture = needsPosture };
    }

    private PolicyRule? ReadGrant((PolicyJson Value, int Index) entry)
    {
        var (grant, index) = entry;
        int before = _problems.Count;
        foreach (var member in grant.Members) CheckName(member, GrantNames);
        var ip = Member(grant, "ip", JsonValueKind.Array);
        var app = Member(grant, "app", JsonValueKind.Object);
        bool hasIp = ip is { Items.Count: > 0 }, hasApp = app is { Members.Count: > 0 };
        if (!hasIp && !hasApp) Refuse(grant.Position, "ip and app can not both be empty", "add \"ip\": [\"*\"] for all ports");
        var capabilities = ReadCapabilities(app);
        List<Selector> destinations = [];
        foreach (var (text, position) in Strings(grant, "dst", true))
        {
            if (ReadSelector(text, position) is not { } target) continue;
            if (target.Kind == SelectorKind.Prefix && target.Prefix.IsDefaultRoute)
                Refuse(position, $"dst {HuJson.Quote(target.Prefix.ToString())}: to allow all IP addresses, use \"*\" or \"autogroup:internet\"");
            else if (target.Kind == SelectorKind.Internet && hasApp)
                Refuse(position, "cannot use app grants with autogroup:internet");
            else if (target.Kind == SelectorKind.UserDomain || CheckDestination(target, $"dst={HuJson.Quote(target.Text)}: "))
                destinations.Add(target);
        }
        var sources = ReadSources(grant, "src");
        var via = ReadVia(grant);
        CheckSelf(sources, destinations, allowEverything: false);
        var accesses = ReadServices(ip).Select(service => new PolicyAccess([.. destinations], service.Protocols, service.Ports)).ToArray();
        bool needsPosture = ReadSourcePosture(grant);
        if (_problems.Count > before) return null;
        return new PolicyRule("grants", index, grant.Position)
        {
            Sources = sources, Accesses = [.. accesses], Destinations = [.. destinations], Capabilities = capabilities, Via = via, NeedsPosture = needsPosture,
        };
    }

    private static bool HasMember(PolicyJson value, string name) =>
        value.Members.Any(member => member.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private bool ReadSourcePosture(PolicyJson rule)
    {
        int count = 0;
        foreach (var (text, position) in Strings(rule, "srcPosture", true))
        {
            CheckPosture(text, position);
            count++;
        }
        return count > 0 || (_hasDefaultPosture && !HasMember(rule, "srcPosture"));
    }

    private ImmutableArray<byte> ReadAclProtocol(PolicyJson acl)
    {
        var member = acl.Members.FirstOrDefault(member => member.Name.Equals("proto", StringComparison.OrdinalIgnoreCase));
        if (member is null || member.Value.Kind == JsonValueKind.Null || member.Value is { Kind: JsonValueKind.String, Text: "" }) return [];
        if (member.Value.Kind is not (JsonValueKind.String or JsonValueKind.Number))
        {
            Refuse(member.Value.Position, $"proto is {member.Value.KindName}; it must be a string");
            return [];
        }
        if (IpProtocols.Parse(member.Value.Text, out string? problem) is { } protocol) return [protocol];
        Refuse(member.Value.Position, problem!, Spelling.Suggest(member.Value.Text, IpProtocols.Names));
        return [];
    }

    private ImmutableArray<Selector> ReadSources(PolicyJson rule, string name)
    {
        List<Selector> sources = [];
        foreach (var (text, position) in Strings(rule, name, true))
        {
            if (ReadSelector(text, position) is not { } source) continue;
            if (source.Kind == SelectorKind.Self)
                Refuse(position, "\"autogroup:self\" not valid on the src side of a rule", "did you mean autogroup:member?");
            else if (source.Kind == SelectorKind.Internet)
                Refuse(position, "autogroup:internet can only be used in ACL destinations", "did you mean autogroup:danger-all?");
            else if (CheckDeclared(source, message => $"src={message}"))
                sources.Add(source);
        }
        return [.. sources];
    }

    private Selector? ReadSelector(string text, PolicyPosition position)
    {
        if (Selector.Parse(text, position) is { } selector) return selector;
        Refuse(position, $"invalid autogroup: got {HuJson.Quote(text.Trim())}", Spelling.Suggest(text.Trim(), Selector.Autogroups));
        return null;
    }

    private bool CheckDestination(Selector target, string prefix)
    {
        if (target.Kind == SelectorKind.DangerAll)
        {
            Refuse(target.Position, "cannot use autogroup:danger-all as a dst", "use * for what the network routes, or autogroup:internet");
            return false;
        }
        if (target.Kind == SelectorKind.UserDomain)
        {
            Refuse(target.Position, $"{HuJson.Quote(target.Text)}: invalid address", "name the users, or a group of them");
            return false;
        }
        return CheckDeclared(target, message => prefix + message);
    }

    /// <summary>Only users can own what autogroup:self stands for; an acl's * is narrowed to them, a grant's is not.</summary>
    private void CheckSelf(ImmutableArray<Selector> sources, IEnumerable<Selector> destinations, bool allowEverything)
    {
        if (destinations.FirstOrDefault(target => target.Kind == SelectorKind.Self) is not { } self) return;
        bool Fits(Selector source) => source.Kind is SelectorKind.User or SelectorKind.UserDomain or SelectorKind.Group or SelectorKind.Member or SelectorKind.Role
            || (allowEverything && source.Kind == SelectorKind.Everything);
        if (!sources.All(Fits))
            Refuse(self.Position, "autogroup:self can only be used with users, groups, or supported autogroups", "use autogroup:member as the source");
    }

    /// <summary>"webserver:80,443", "*:*", "[fd00::1]:22". Null when it is wrong; without a problem when that is told already.</summary>
    internal static (Selector Target, ImmutableArray<PortSpan> Ports)? ReadDestinationWithPorts(
        string text, PolicyPosition position, out string? problem, out string? suggestion)
    {
        string trimmed = text.Trim(), unbracketed = trimmed;
        (problem, suggestion) = (null, null);
        if (trimmed.StartsWith('['))
        {
            int close = trimmed.IndexOf(']', StringComparison.Ordinal);
            if (close < 0 || !trimmed[1..close].Contains(':', StringComparison.Ordinal) || !IpPrefix.TryParse(trimmed[1..close], out _))
            {
                problem = $"square brackets are only valid around IPv6 addresses: {HuJson.Quote(trimmed)}";
                return null;
            }
            unbracketed = trimmed[1..close] + trimmed[(close + 1)..];
        }
        int colon = unbracketed.LastIndexOf(':');
        if (colon <= 0 || colon == unbracketed.Length - 1)
        {
            problem = colon < 0 ? $"dst={HuJson.Quote(text)}: hostport must contain a colon" : $"dst={HuJson.Quote(text)}: a destination is written as host:port";
            suggestion = $"did you mean {HuJson.Quote(unbracketed.Trim(':') + ":*")}?";
            return null;
        }
        string host = unbracketed[..colon], ports = unbracketed[(colon + 1)..];
        if (PortList.Parse(ports, out string? wrong) is not { } spans)
        {
            problem = $"dst={HuJson.Quote(text)}: port range {HuJson.Quote(ports)}: {wrong}";
            suggestion = host is "autogroup" or "tag" or "group" ? $"did you mean {HuJson.Quote(trimmed + ":*")}?" : null;
            return null;
        }
        if (Selector.Parse(host, position) is { } target) return (target, spans);
        problem = $"invalid autogroup: got {HuJson.Quote(host)}";
        suggestion = Spelling.Suggest(host, Selector.Autogroups);
        return null;
    }

    private IEnumerable<(ImmutableArray<byte> Protocols, ImmutableArray<PortSpan> Ports)> ReadServices(PolicyJson? ip)
    {
        foreach (var (text, position) in Strings(ip, "ip"))
        {
            string[] parts = text.Trim().Split(':');
            if (parts.Length > 2)
            {
                Refuse(position, $"expected only one colon in Internet protocol and port type: {HuJson.Quote(text)}");
                continue;
            }
            ImmutableArray<byte> protocols = [];
            if (parts.Length == 2)
            {
                if (IpProtocols.Parse(parts[0], out string? problem) is not { } protocol)
                {
                    Refuse(position, problem!, Spelling.Suggest(parts[0], IpProtocols.Names));
                    continue;
                }
                protocols = [protocol];
            }
            if (PortList.Parse(parts[^1], out string? wrong) is not { } ports)
            {
                bool isProtocol = parts.Length == 1 && IpProtocols.Names.Contains(parts[0], StringComparer.OrdinalIgnoreCase);
                Refuse(position, $"port range {HuJson.Quote(parts[^1])}: {wrong}", isProtocol ? $"did you mean {HuJson.Quote(parts[0] + ":*")}?" : null);
                continue;
            }
            if (!ports.IsEmpty && !protocols.All(IpProtocols.HasPorts))
            {
                Refuse(position, $"protocol does not support specific ports: {HuJson.Quote(parts[0])}, only \"*\" is allowed", $"did you mean {HuJson.Quote(parts[0] + ":*")}?");
                continue;
            }
            yield return (protocols, ports);
        }
    }

    private ImmutableArray<KeyValuePair<string, string>> ReadCapabilities(PolicyJson? app)
    {
        List<KeyValuePair<string, string>> capabilities = [];
        foreach (var capability in app?.Members ?? [])
        {
            string name = capability.Name;
            int slash = name.IndexOf('/', StringComparison.Ordinal);
            if (slash <= 0 || slash == name.Length - 1 || name.Contains("://", StringComparison.Ordinal))
                Refuse(capability.Position, "capability name must have the form {domain}/{path}", $"{HuJson.Quote(name)} is none");
            else if (name.StartsWith("tailscale.com/", StringComparison.Ordinal) && !GrantableOwn.Contains(name))
                Refuse(capability.Position, "capability name must not be in the tailscale.com domain", Spelling.Suggest(name, GrantableOwn) ?? "use a domain of your own");
            else if (capability.Value.Kind is not (JsonValueKind.Array or JsonValueKind.Null))
                Refuse(capability.Value.Position, $"app[{HuJson.Quote(name)}] is {capability.Value.KindName}; it must be an array");
            else
                capabilities.Add(new(name, capability.Value.ToCompactText()));
        }
        return [.. capabilities.OrderBy(pair => pair.Key, StringComparer.Ordinal)];
    }

    private ImmutableArray<string> ReadVia(PolicyJson grant)
    {
        List<string> via = [];
        foreach (var (text, position) in Strings(grant, "via", true))
        {
            string tag = text.Trim();
            if (!tag.StartsWith("tag:", StringComparison.Ordinal))
                Refuse(position, "via can only be a tag", SuggestName(tag));
            else if (!_tagOwners.ContainsKey(tag))
                Refuse(position, $"tag {HuJson.Quote(tag)} not found", Spelling.Suggest(tag, _tagOwners.Keys));
            else
                via.Add(tag);
        }
        return [.. via];
    }
}
