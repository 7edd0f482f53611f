using System.Collections.Immutable;
using System.Globalization;

namespace Mesh.Coordinator.Network;

/// <summary>
/// Which node has which name. Immutable. A name that is taken gets the lowest free suffix -1, -2, ...; a hint for each stem
/// keeps that cheap when thousands of machines call themselves the same.
/// </summary>
public sealed class NameTable
{
    /// <summary>A stem leaves room for "-" and six digits within a label's 63.</summary>
    private const int MaxStemChars = 56;
    private const int MaxSuffixDigits = 6;

    private readonly ImmutableDictionary<string, ulong> _ids;

    /// <summary>By stem: every suffix from 1 to below this is taken. Absent means 1.</summary>
    private readonly ImmutableDictionary<string, int> _firstMaybeFree;

    private NameTable(ImmutableDictionary<string, ulong> ids, ImmutableDictionary<string, int> firstMaybeFree)
    {
        _ids = ids;
        _firstMaybeFree = firstMaybeFree;
    }

    public static NameTable Empty { get; } = new(
        ImmutableDictionary.Create<string, ulong>(StringComparer.Ordinal),
        ImmutableDictionary.Create<string, int>(StringComparer.Ordinal));

    public int Count => _ids.Count;

    public bool TryGet(string name, out ulong nodeId) => _ids.TryGetValue(name, out nodeId);

    /// <summary>The name that a machine gets which wants this label. Changes nothing.</summary>
    /// <param name="label">A valid DNS label.</param>
    public string FreeNameFor(string label)
    {
        if (!_ids.ContainsKey(label))
            return label;
        var stem = StemOf(label);
        var suffix = _firstMaybeFree.GetValueOrDefault(stem, 1);
        while (_ids.ContainsKey(Join(stem, suffix)))
            suffix++;
        return Join(stem, suffix);
    }

    public NameTable Add(string name, ulong nodeId)
    {
        var ids = _ids.Add(name, nodeId);
        var hints = _firstMaybeFree;
        if (TrySplit(name, out var stem, out var suffix) && suffix == hints.GetValueOrDefault(stem, 1))
        {
            do
                suffix++;
            while (ids.ContainsKey(Join(stem, suffix)));
            hints = hints.SetItem(stem, suffix);
        }

        return new NameTable(ids, hints);
    }

    public NameTable Remove(string name)
    {
        var hints = _firstMaybeFree;
        if (TrySplit(name, out var stem, out var suffix) && suffix < hints.GetValueOrDefault(stem, 1))
            hints = suffix == 1 ? hints.Remove(stem) : hints.SetItem(stem, suffix);
        return new NameTable(_ids.Remove(name), hints);
    }

    private static string StemOf(string label) =>
        label.Length <= MaxStemChars ? label : label[..MaxStemChars].TrimEnd('-');

    private static string Join(string stem, int suffix) => string.Create(CultureInfo.InvariantCulture, $"{stem}-{suffix}");

    /// <summary>Whether <see cref="Join"/> could have made the name.</summary>
    private static bool TrySplit(string name, out string stem, out int suffix)
    {
        stem = "";
        suffix = 0;
        var dash = name.LastIndexOf('-');
        var digits = name.Length - dash - 1;
        if (dash is < 1 or > MaxStemChars || digits is < 1 or > MaxSuffixDigits || name[dash + 1] == '0'
            || !int.TryParse(name.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out suffix))
            return false;
        stem = name[..dash];
        return true;
    }
}
