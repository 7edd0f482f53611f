using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>"tests": each asserts what one source may reach, one port of one destination at a time.</summary>
internal sealed partial class PolicyReader
{
    private const string TestFailed = "test(s) failed";

    private static readonly string[] TestNames = ["src", "proto", "accept", "allow", "deny", "srcPostureAttrs"];

    private PolicyTest? ReadTest((PolicyJson Value, int Index) entry)
    {
        var (test, index) = entry;
        int before = _problems.Count;
        foreach (var member in test.Members) CheckName(member, TestNames);
        var source = ReadTestSource(test, index);
        byte? protocol = ReadTestProtocol(test, index);
        ImmutableArray<TestDestination> accept = [.. ReadTestDestinations(test, "accept", index), .. ReadTestDestinations(test, "allow", index)];
        ImmutableArray<TestDestination> deny = [.. ReadTestDestinations(test, "deny", index)];
        if (accept.IsEmpty && deny.IsEmpty && _problems.Count == before)
            RefuseTest(test.Position, index, "it asserts nothing", "add \"accept\" or \"deny\"");
        return _problems.Count > before ? null : new PolicyTest(index, test.Position, source!, protocol, accept, deny);
    }

    /// <summary>A test that cannot be run is one that failed: so says the reference, and the details come beside it.</summary>
    private void RefuseTest(PolicyPosition position, int index, string detail, string? suggestion = null) =>
        Refuse(position, TestFailed, $"tests[{index}]: {detail}" + (suggestion is null ? "" : $"; {suggestion}"));

    private Selector? ReadTestSource(PolicyJson test, int index)
    {
        var (text, position) = String(test, "src");
        var source = Selector.Parse(text, position);
        if (text.Trim().Length == 0)
            RefuseTest(position, index, "it has no src");
        else if (source is null)
            RefuseTest(position, index, $"no such autogroup: {text}", Spelling.Suggest(text, Selector.Autogroups));
        else if (source.Kind is SelectorKind.Self or SelectorKind.Internet or SelectorKind.UserDomain)
            RefuseTest(position, index, $"{text} is not somebody who sends");
        else if (IsDeclared(source))
            return source;
        else
            RefuseTest(position, index, $"{text} is not defined", SuggestName(text));
        return null;
    }

    private byte? ReadTestProtocol(PolicyJson test, int index)
    {
        var protocols = ReadAclProtocol(test);
        if (protocols.IsEmpty) return null;
        if (IpProtocols.HasPorts(protocols[0])) return protocols[0];
        RefuseTest(String(test, "proto").Position, index, "proto must be tcp, udp, sctp, or empty");
        return null;
    }

    private IEnumerable<TestDestination> ReadTestDestinations(PolicyJson test, string name, int index)
    {
        foreach (var (text, position) in Strings(test, name, true))
        {
            if (ReadDestinationWithPorts(text, position, out string? problem, out string? suggestion) is not { } target)
                RefuseTest(position, index, problem ?? text, suggestion);
            else if (target.Target.Kind is SelectorKind.Internet or SelectorKind.DangerAll)
                RefuseTest(position, index, $"{target.Target} is not one destination");
            else if (target.Ports is not [var port] || port.First != port.Last)
                RefuseTest(position, index, $"{text} is not one port", "test one port at a time");
            else if (!IsDeclared(target.Target))
                RefuseTest(position, index, $"{target.Target} is not defined", SuggestName(target.Target.Text));
            else if (Literal(target.Target) is { IsSingleAddress: false } || (target.Target.Kind == SelectorKind.Prefix && text.Contains('/', StringComparison.Ordinal)))
                RefuseTest(position, index, $"{target.Target} is not one host", "test one address at a time");
            else
                yield return new TestDestination(text, position, target.Target, port.First);
        }
    }

    private bool IsDeclared(Selector selector) => selector.Kind switch
    {
        SelectorKind.Group => _groups.ContainsKey(selector.Text),
        SelectorKind.Tag => _tagOwners.ContainsKey(selector.Text),
        SelectorKind.Host => _hosts.ContainsKey(selector.Text),
        _ => true,
    };

    private IpPrefix? Literal(Selector selector) => selector.Kind switch
    {
        SelectorKind.Prefix => selector.Prefix,
        SelectorKind.Host when _hosts.TryGetValue(selector.Text, out var prefix) => prefix,
        _ => null,
    };
}
