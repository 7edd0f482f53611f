using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy;

/// <summary>In which way a fact holds of a node.</summary>
[Flags]
internal enum FactFlags : byte
{
    None = 0,

    /// <summary>Of the node's own IPv4 address.</summary>
    OwnIPv4 = 1,

    /// <summary>Of the node's own IPv6 address.</summary>
    OwnIPv6 = 2,

    /// <summary>Of the node itself, whatever the address.</summary>
    Own = OwnIPv4 | OwnIPv6,

    /// <summary>Of some of what the node routes for others.</summary>
    Routes = 4,
}

/// <summary>
/// What a policy asks about a node, numbered: one fact for each tag, group, user and address literal that its rules use. Tags,
/// groups and users that the rules use only together are one fact, since no rule tells them apart. Immutable.
/// </summary>
internal sealed class FactTable
{
    private readonly ImmutableArray<string> _names;
    private readonly Dictionary<string, int> _tags = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<int>> _users = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<(string Suffix, int Fact)> _domains = [];
    private readonly List<(IpPrefix Prefix, int Fact)> _literals = [];
    private readonly int _member = -1;
    private readonly int _tagged = -1;
    private readonly int _exit = -1;

    private FactTable(PolicyDocument document, IReadOnlyList<(Selector Selector, int Fact)> facts, ImmutableArray<string> names)
    {
        _names = names;
        foreach (var (selector, fact) in facts)
        {
            switch (selector.Kind)
            {
                case SelectorKind.Member: _member = fact; break;
                case SelectorKind.Tagged: _tagged = fact; break;
                case SelectorKind.Internet: _exit = fact; break;
                case SelectorKind.Tag: _tags[selector.Text] = fact; break;
                case SelectorKind.User: AddUser(selector.Text, fact); break;
                case SelectorKind.UserDomain: _domains.Add((selector.Text["user:*".Length..], fact)); break;
                case SelectorKind.Group:
                    foreach (var user in document.Groups[selector.Text]) AddUser(user.Text, fact);
                    break;
                default: _literals.Add((document.LiteralOf(selector)!.Value, fact)); break;
            }
        }
    }

    public int Count => _names.Length;

    /// <summary>The facts that hold of a node, one entry for each fact of the table.</summary>
    public FactFlags[] Of(PolicySubject subject)
    {
        var flags = new FactFlags[Count];
        if (subject.IsTagged)
        {
            Set(flags, _tagged);
            foreach (string tag in subject.Tags)
                if (_tags.TryGetValue(tag, out int fact)) flags[fact] = FactFlags.Own;
        }
        else
        {
            Set(flags, _member);
            SetUser(flags, subject.UserName);
            if (subject.UserName.Length > 0) SetUser(flags, subject.UserName + "@");
            SetUser(flags, subject.UserEmail);
            foreach (var (suffix, fact) in _domains)
                if (subject.UserEmail.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)) flags[fact] = FactFlags.Own;
        }
        if (_exit >= 0 && subject.IsExitNode) flags[_exit] = FactFlags.Own;
        foreach (var (prefix, fact) in _literals)
        {
            if (subject.IPv4 is { } four && prefix.Contains(four)) flags[fact] |= FactFlags.OwnIPv4;
            if (subject.IPv6 is { } six && prefix.Contains(six)) flags[fact] |= FactFlags.OwnIPv6;
            foreach (var route in subject.Routes)
                if (!route.IsDefaultRoute && prefix.Overlaps(route)) flags[fact] |= FactFlags.Routes;
        }
        return flags;
    }

    /// <summary>The facts as text that means the same in every policy: what a class id is made from.</summary>
    public string MeaningOf(ReadOnlySpan<FactFlags> flags)
    {
        List<string> lines = [];
        for (int fact = 0; fact < flags.Length; fact++)
            if (flags[fact] != FactFlags.None) lines.Add(string.Create(CultureInfo.InvariantCulture, $"{_names[fact]} {(int)flags[fact]}"));
        lines.Sort(StringComparer.Ordinal);
        return string.Join('\n', lines);
    }

    private void AddUser(string user, int fact)
    {
        if (!_users.TryGetValue(user, out var facts)) _users[user] = facts = [];
        if (!facts.Contains(fact)) facts.Add(fact);
    }

    private void SetUser(FactFlags[] flags, string user)
    {
        if (user.Length > 0 && _users.TryGetValue(user, out var facts))
            foreach (int fact in facts) flags[fact] = FactFlags.Own;
    }

    private static void Set(FactFlags[] flags, int fact)
    {
        if (fact >= 0) flags[fact] = FactFlags.Own;
    }

    /// <summary>Gathers which selectors the rules use, and at which places.</summary>
    public sealed class Builder
    {
        private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
        private readonly List<(Selector Selector, string Name, List<int> Places)> _used = [];
        private int[] _facts = [];

        /// <param name="place">Where in the rules; every side of every rule is a place of its own.</param>
        /// <returns>A number to give to <see cref="FactOf"/> once the table is built.</returns>
        public int Use(PolicyDocument document, Selector selector, int place)
        {
            string name = selector.Kind is SelectorKind.Member or SelectorKind.Tagged or SelectorKind.Internet ? selector.Kind.ToString()
                : document.LiteralOf(selector) is { } prefix ? $"ip {prefix}" : $"{selector.Kind} {selector.Text}";
            if (!_numbers.TryGetValue(name, out int number))
            {
                _numbers[name] = number = _used.Count;
                _used.Add((selector, name, []));
            }
            _used[number].Places.Add(place);
            return number;
        }

        public FactTable Build(PolicyDocument document)
        {
            Dictionary<string, int> byUse = new(StringComparer.Ordinal);
            List<SortedSet<string>> names = [];
            _facts = new int[_used.Count];
            for (int i = 0; i < _used.Count; i++)
            {
                var (selector, name, places) = _used[i];
                // A literal holds of addresses and not of nodes, and an exit of what a node does: each is a fact of its own.
                string use = selector.IsLiteral || selector.Kind == SelectorKind.Internet ? name : UseOf(places);
                if (!byUse.TryGetValue(use, out int fact))
                {
                    byUse[use] = fact = names.Count;
                    names.Add(new SortedSet<string>(StringComparer.Ordinal));
                }
                names[fact].Add(name);
                _facts[i] = fact;
            }
            return new FactTable(document, [.. _used.Select((entry, i) => (entry.Selector, _facts[i]))], [.. names.Select(set => string.Join('|', set))]);
        }

        public int FactOf(int number) => _facts[number];

        private static string UseOf(List<int> places)
        {
            var text = new StringBuilder("at");
            foreach (int place in places.Distinct().Order()) text.Append(' ').Append(place.ToString(CultureInfo.InvariantCulture));
            return text.ToString();
        }
    }
}
