using System.Collections.Immutable;
using System.Text.Json;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>"ssh" and "sshTests".</summary>
internal sealed partial class PolicyReader
{
    private static readonly string[] SshNames = ["action", "src", "dst", "users", "checkPeriod", "acceptEnv", "recorder", "enforceRecorder", "srcPosture"];
    private static readonly string[] SshTestNames = ["src", "dst", "accept", "deny", "check"];
    private static readonly TimeSpan LongestCheckPeriod = TimeSpan.FromHours(168);

    private SshRule? ReadSshRule((PolicyJson Value, int Index) entry)
    {
        var (rule, index) = entry;
        if (index == 0) Note(rule.Position, "ssh rules are kept and sshTests are run, but nodes do not enforce them");
        int before = _problems.Count;
        foreach (var member in rule.Members) CheckName(member, SshNames);
        var (actionText, actionAt) = String(rule, "action");
        actionText = actionText.Trim();
        if (actionText.Length == 0) Refuse(actionAt, "action must be specified", "an action is \"accept\" or \"check\"");
        else if (actionText is not ("accept" or "check")) Refuse(actionAt, $"{HuJson.Quote(actionText)} is not a valid action", "an action is \"accept\" or \"check\"");
        var sources = ReadSshSources(rule);
        var destinations = ReadSshDestinations(rule);
        CheckSshPairs(sources, destinations);
        string[] users = [.. ReadSshUsers(rule)];
        CheckPeriod(rule, actionText);
        foreach (var (text, position) in Strings(rule, "acceptEnv", true))
            if (text.Length == 0) Refuse(position, "acceptEnv values cannot be empty");
        ReadSourcePosture(rule);
        if (_problems.Count > before) return null;
        return new SshRule(index, rule.Position, actionText == "check" ? SshAction.Check : SshAction.Accept, sources, destinations, [.. users]);
    }

    private ImmutableArray<Selector> ReadSshSources(PolicyJson rule)
    {
        List<Selector> sources = [];
        foreach (var (text, position) in Strings(rule, "src", true))
        {
            if (ReadSelector(text, position) is not { } source) continue;
            if (source.Kind is not (SelectorKind.User or SelectorKind.UserDomain or SelectorKind.Group or SelectorKind.Tag or SelectorKind.Member or SelectorKind.Tagged or SelectorKind.Role))
                Refuse(position, $"invalid src {HuJson.Quote(source.Text)}", "a source is a user, a group, a tag, autogroup:member or autogroup:tagged");
            else if (CheckDeclared(source, message => message))
                sources.Add(source);
        }
        return [.. sources];
    }

    private ImmutableArray<Selector> ReadSshDestinations(PolicyJson rule)
    {
        List<Selector> destinations = [];
        foreach (var (text, position) in Strings(rule, "dst", true))
        {
            if (ReadSelector(text, position) is not { } target) continue;
            if (target.Kind is not (SelectorKind.User or SelectorKind.Tag or SelectorKind.Self or SelectorKind.Member or SelectorKind.Tagged))
                Refuse(position, $"invalid dst {HuJson.Quote(target.Text)}", "a destination is a tag, a user, autogroup:self, autogroup:member or autogroup:tagged");
            else if (CheckDeclared(target, message => message))
                destinations.Add(target);
        }
        return [.. destinations];
    }

    /// <summary>Users reach their own machines and tagged ones, tagged machines reach tagged ones.</summary>
    private void CheckSshPairs(ImmutableArray<Selector> sources, ImmutableArray<Selector> destinations)
    {
        bool tagged = sources.Any(source => source.Kind is SelectorKind.Tag or SelectorKind.Tagged);
        string? onlyUser = sources is [{ Kind: SelectorKind.User } first, ..] && sources.All(source => source.Kind == SelectorKind.User && source.Text == first.Text)
            ? first.Text : null;
        foreach (var target in destinations)
        {
            if (tagged && target.Kind == SelectorKind.User)
                Refuse(target.Position, $"tags in SSH source cannot access user-owned devices ({target}); use autogroup:tagged or specific tags as destinations instead");
            else if (tagged && target.Kind == SelectorKind.Self)
                Refuse(target.Position, "autogroup:self destination requires source to contain only users or groups, not tags or autogroup:tagged");
            else if (tagged && target.Kind == SelectorKind.Member)
                Refuse(target.Position, "tags in SSH source cannot access autogroup:member (user-owned devices)");
            else if (target.Kind == SelectorKind.User && target.Text != onlyUser)
                Refuse(target.Position, $"user destination requires source to contain only that same user {HuJson.Quote(target.Text)}; use autogroup:self instead for same-user SSH access");
        }
    }

    private IEnumerable<string> ReadSshUsers(PolicyJson rule)
    {
        var list = Member(rule, "users", JsonValueKind.Array);
        if (list is null or { Items.Count: 0 }) Refuse(rule.Position, "users must be specified", "list the names that may be logged in as");
        foreach (var (text, position) in Strings(list, "users"))
        {
            string user = text.Trim();
            if (user is "" or "*") Refuse(position, $"user {HuJson.Quote(user)} is not valid", user == "*" ? "did you mean autogroup:nonroot?" : null);
            else yield return user;
        }
    }

    private void CheckPeriod(PolicyJson rule, string action)
    {
        var period = Member(rule, "checkPeriod", JsonValueKind.String);
        if (period is null) return;
        if (action == "accept") Refuse(period.Position, "checkPeriod is only valid with action \"check\"");
        else if (period.Text == "always") return;
        else if (!GoDuration.TryParse(period.Text, out var duration)) Refuse(period.Position, $"time: invalid duration {HuJson.Quote(period.Text)}", "write it as 30m, 12h or always");
        else if (duration < TimeSpan.Zero) Refuse(period.Position, $"checkPeriod {GoDuration.Format(duration)} must be a positive duration");
        else if (duration > LongestCheckPeriod) Refuse(period.Position, $"checkPeriod {GoDuration.Format(duration)} is above the max (168h)");
    }

    private SshTest? ReadSshTest((PolicyJson Value, int Index) entry)
    {
        var (test, index) = entry;
        int before = _problems.Count;
        foreach (var member in test.Members) CheckName(member, SshTestNames);
        var (text, position) = String(test, "src");
        var source = Selector.Parse(text, position);
        if (text.Trim().Length == 0) Refuse(position, "SSH tests entry must have a non-empty src");
        else if (source is null || source.Kind is SelectorKind.Self or SelectorKind.Internet or SelectorKind.UserDomain) Refuse(position, $"invalid src {HuJson.Quote(text)}");
        else CheckDeclared(source, message => message);
        List<Selector> destinations = [];
        foreach (var (name, at) in Strings(test, "dst", true))
        {
            var target = Selector.Parse(name, at);
            if (target is null || target.Kind is SelectorKind.Internet or SelectorKind.DangerAll or SelectorKind.Everything || Literal(target) is { IsSingleAddress: false })
                Refuse(at, $"SSH tests dst contains disallowed element {HuJson.Quote(name.Trim())}");
            else if (target.Kind == SelectorKind.Tag && !_tagOwners.ContainsKey(target.Text))
                Refuse(at, $"SSH tests dst contains unknown tag {HuJson.Quote(target.Text)}", Spelling.Suggest(target.Text, _tagOwners.Keys));
            else if (CheckDeclared(target, message => message))
                destinations.Add(target);
        }
        if (destinations.Count == 0 && _problems.Count == before) Refuse(test.Position, "SSH tests entry must have at least one dst");
        ImmutableArray<string> accept = Users(test, "accept"), deny = Users(test, "deny"), check = Users(test, "check");
        if (accept.IsEmpty && deny.IsEmpty && check.IsEmpty && _problems.Count == before)
            Refuse(test.Position, TestFailed, $"sshTests[{index}]: it asserts nothing; add \"accept\", \"deny\" or \"check\"");
        return _problems.Count > before ? null : new SshTest(index, test.Position, source!, [.. destinations], accept, deny, check);
    }

    private ImmutableArray<string> Users(PolicyJson test, string name) => [.. Strings(test, name, true).Select(user => user.Text.Trim())];
}
