using Mesh.Coordinator.Policy.Evaluation;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Effect;

/// <summary>Words for a set of machines.</summary>
/// <param name="IsPlural">They gain, rather than it gains.</param>
internal readonly record struct MachineName(string Text, bool IsPlural);

/// <summary>
/// Names sets of machines as people do: by a tag, a group or a user that has just these; by a few of them together; by the
/// machine's own name where there is one.
/// </summary>
internal sealed class MachineNames
{
    private const int MaxParts = 3;
    private const int MaxSingles = 3;

    private readonly IReadOnlyList<NamedSubject> _machines;
    private readonly List<Candidate> _candidates = [];

    /// <param name="documents">Whose groups may name; the first that has a group says who is in it.</param>
    public MachineNames(IReadOnlyList<NamedSubject> machines, params ReadOnlySpan<PolicyDocument> documents)
    {
        _machines = machines;
        // What stands first is preferred among names of the same machines.
        Add("every machine", false, Enumerable.Range(0, machines.Count));
        foreach (var tag in Indices(subject => subject.Tags)) Add(tag.Key, false, tag);
        HashSet<string> groups = new(StringComparer.Ordinal);
        foreach (var document in documents)
        {
            foreach (string group in document.Groups.Keys.Where(groups.Add))
            {
                var selector = new Selector(SelectorKind.Group, group, default);
                Add($"{group}'s machines", true, Where(subject => SubjectMatch.Means(document, selector, subject)));
            }
        }
        foreach (var user in Indices(subject => subject.IsTagged || subject.UserName.Length == 0 ? [] : [subject.UserName])) Add($"{user.Key}'s machines", true, user);
        Add("tagged machines", true, Where(subject => subject.IsTagged));
        Add("users' machines", true, Where(subject => !subject.IsTagged));
        // The largest first; equals stay in their order.
        _candidates = [.. _candidates.OrderByDescending(candidate => candidate.Machines.Count)];
    }

    /// <param name="machines">By index; at least one.</param>
    /// <param name="either">A machine of which it does not matter whether it is one of them; -1 for none.</param>
    public MachineName Of(IReadOnlySet<int> machines, int either = -1)
    {
        if (machines.Count == 1) return new(_machines[machines.First()].Name, false);
        string[] others = machines.Count < _machines.Count - 3 ? []
            : NamesOf(Enumerable.Range(0, _machines.Count).Where(machine => machine != either && !machines.Contains(machine)));
        if (others.Length is 1 or 2 && machines.Count > MaxSingles) return new($"every machine but {string.Join(" and ", others)}", false);
        List<string> parts = [];
        HashSet<int> rest = [.. machines];
        foreach (var candidate in _candidates)
        {
            if (parts.Count == MaxParts) break;
            if (candidate.Machines.Count > machines.Count + 1 || !candidate.Machines.All(machine => machine == either || machines.Contains(machine))
                || candidate.Machines.Count(rest.Contains) < 2) continue;
            rest.ExceptWith(candidate.Machines);
            if (rest.Count == 0 && parts.Count == 0)
                return new(candidate.Machines.Count == _machines.Count ? candidate.Name : Counted(candidate.Name, machines.Count), candidate.IsPlural);
            parts.Add(candidate.Name);
            if (rest.Count == 0) break;
        }
        bool isWhole = rest.Count == machines.Count;
        if (rest.Count > MaxSingles && SmallestWith(rest) is { } holder)
        {
            parts.Add($"{rest.Count} of {holder}");
            if (isWhole) return new(parts[0], true);
        }
        else if (rest.Count > 0)
        {
            string[] singles = NamesOf(rest);
            parts.AddRange(singles.Length <= MaxSingles ? singles : [.. singles.Take(MaxSingles - 1), $"{singles.Length - MaxSingles + 1} more"]);
            isWhole &= singles.Length <= MaxSingles;
        }
        string text = parts.Count == 1 ? parts[0] : $"{string.Join(", ", parts.Take(parts.Count - 1))} and {parts[^1]}";
        return new(isWhole ? text : Counted(text, machines.Count), true);
    }

    /// <summary>"tag:web (12 machines)", "alice's machines (3)".</summary>
    private static string Counted(string name, int machines) => $"{name} ({machines}{(name.EndsWith("machines", StringComparison.Ordinal) ? "" : " machines")})";

    /// <summary>The name of the fewest machines that these are among; null when that is all there are.</summary>
    private string? SmallestWith(HashSet<int> machines) => _candidates
        .FindLast(candidate => candidate.Machines.Count >= machines.Count && candidate.Machines.Count < _machines.Count && candidate.Machines.Count(machines.Contains) == machines.Count)?.Name;

    private string[] NamesOf(IEnumerable<int> machines) => [.. machines.Select(machine => _machines[machine].Name).Order(StringComparer.Ordinal)];

    private void Add(string name, bool isPlural, IEnumerable<int> machines)
    {
        List<int> list = [.. machines];
        if (list.Count > 1) _candidates.Add(new Candidate(name, isPlural, list));
    }

    private IEnumerable<int> Where(Func<PolicySubject, bool> condition) =>
        Enumerable.Range(0, _machines.Count).Where(machine => condition(_machines[machine].Subject));

    private IEnumerable<IGrouping<string, int>> Indices(Func<PolicySubject, IEnumerable<string>> namesOf) => _machines
        .SelectMany((machine, index) => namesOf(machine.Subject).Select(name => (Name: name, Index: index)))
        .GroupBy(pair => pair.Name, pair => pair.Index, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal);

    private sealed record Candidate(string Name, bool IsPlural, List<int> Machines);
}
