using System.Collections.Immutable;
using System.Globalization;
using Mesh.Coordinator.Policy.Effect;
using Mesh.Coordinator.Policy.Evaluation;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Explanation;

/// <summary>Answers questions about a policy, from the very classes and filters that feed maps.</summary>
/// <param name="fleet">Over the machines.</param>
/// <param name="machines">Of names that differ.</param>
public sealed class PolicyExplainer(FleetPolicy fleet, IReadOnlyList<NamedSubject> machines)
{
    /// <summary>Of machines, that one question may be about.</summary>
    private const long MaxPairs = 100_000;

    private readonly PolicyDocument _document = fleet.Program.Document;

    /// <exception cref="FormatException">The question names nobody; the message says what to write.</exception>
    public PolicyExplanation Explain(PolicyQuestion question)
    {
        ArgumentNullException.ThrowIfNull(question);
        List<Place> sources = Find(question.Source), destinations = Find(question.Destination);
        if ((long)sources.Count * destinations.Count > MaxPairs)
            throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{question.Source} and {question.Destination} are over {MaxPairs} pairs of machines; name fewer"));
        List<Pair> pairs = [.. sources.SelectMany(source => destinations.Where(to => to.Id != source.Id).Select(to => Ask(source, to, question)))];
        if (pairs.Count == 0) return new PolicyExplanation(true, $"allowed: {sources[0].Name} reaches itself whatever the policy says", [], []);
        int allowed = pairs.Count(pair => !pair.Rules.IsEmpty);
        var denied = pairs.Find(pair => pair.Rules.IsEmpty);
        string what = $"{question.Source} to {question.Destination}, {question.Service}";
        return new PolicyExplanation(
            denied is null,
            denied is null ? $"allowed: {what}"
                : allowed == 0 ? $"denied: {what}"
                : string.Create(CultureInfo.InvariantCulture, $"allowed for {allowed} of {pairs.Count} pairs of machines: {what}"),
            [.. pairs.SelectMany(pair => pair.Rules.Select(rule => rule.Origin)).Where(origin => origin.Length > 0).Distinct()],
            [.. denied is null ? NotesOf(pairs[0]) : new RefusalReasons(fleet).Of(denied.Source, denied.Destination)]);
    }

    private Pair Ask(Place source, Place to, PolicyQuestion question)
    {
        List<(bool IsIPv6, ImmutableArray<ClassRule> Rules)> families = [];
        foreach (var from in source.Addresses)
        {
            foreach (var destination in to.Addresses.Where(address => address.IsIPv6 == from.IsIPv6))
                families.Add((from.IsIPv6, [.. fleet.RulesFor(source.Subject, from, to.Subject, destination, question.Protocol, question.Port)]));
        }
        return new Pair(source, to, [.. families.SelectMany(family => family.Rules).Distinct()], [.. families.Where(family => family.Rules.IsEmpty).Select(family => family.IsIPv6)]);
    }

    private static IEnumerable<string> NotesOf(Pair pair) =>
        pair.DeniedFamilies.Select(isIPv6 => $"by {(isIPv6 ? "IPv4" : "IPv6")} only: the rule names addresses");

    /// <summary>Names come first, then what the policy calls hosts, then whom a rule's words mean.</summary>
    private List<Place> Find(string text)
    {
        if (machines.FirstOrDefault(machine => machine.Name.Equals(text, StringComparison.OrdinalIgnoreCase)) is { } named)
            return [new Place(named.Name, named.Subject, [.. named.Subject.Addresses])];
        var selector = Selector.Parse(text, default) ?? throw new FormatException($"there is no {text}{Guess(text, Selector.Autogroups)}");
        switch (selector.Kind)
        {
            case SelectorKind.Host when !_document.Hosts.ContainsKey(text):
                throw new FormatException($"no machine is called {text}{Guess(text, machines.Select(machine => machine.Name).Concat(_document.Hosts.Keys))}");
            case SelectorKind.Group when !_document.Groups.ContainsKey(text):
                throw new FormatException($"the policy has no {text}{Guess(text, _document.Groups.Keys)}");
            case SelectorKind.Self or SelectorKind.Internet or SelectorKind.Role or SelectorKind.DangerAll:
                throw new FormatException($"{text} is not somebody; name a machine, an address, a user, a group or a tag");
        }
        List<Place> places = [.. machines.Select(machine => new Place(machine.Name, machine.Subject,
            [.. machine.Subject.Addresses.Where(address => SubjectMatch.Means(_document, selector, machine.Subject, address))])).Where(place => !place.Addresses.IsEmpty)];
        if (places.Count > 0) return places;
        throw new FormatException(selector.IsLiteral ? $"no machine of the network has the address {text}" : $"no machine is {text}");
    }

    private static string Guess(string wrong, IEnumerable<string> known) => Spelling.Suggest(wrong, known) is { } guess ? $"; {guess}" : "";

    /// <summary>A machine, by those of its addresses that are meant.</summary>
    internal sealed record Place(string Name, PolicySubject Subject, ImmutableArray<IpPrefix> Addresses)
    {
        public ulong Id => Subject.Id;
    }

    /// <param name="Rules">That allow it, by any version of IP.</param>
    /// <param name="DeniedFamilies">IPv6 is true.</param>
    private sealed record Pair(Place Source, Place Destination, ImmutableArray<ClassRule> Rules, ImmutableArray<bool> DeniedFamilies);
}
