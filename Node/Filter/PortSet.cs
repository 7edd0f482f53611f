namespace Mesh.Node.Filter;

/// <summary>Ports as the fewest ranges, in order: looking one up costs the logarithm of their number. Immutable.</summary>
internal readonly struct PortSet
{
    private readonly (ushort First, ushort Last)[] _ranges;

    public PortSet(IEnumerable<(ushort First, ushort Last)> ranges)
    {
        var merged = new List<(ushort First, ushort Last)>();
        foreach (var range in ranges.Order())
        {
            if (merged.Count > 0 && range.First <= merged[^1].Last + 1)
                merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, range.Last));
            else merged.Add(range);
        }
        _ranges = [.. merged];
    }

    public bool Contains(ushort port)
    {
        var ranges = _ranges;
        int low = 0, high = ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (port < ranges[middle].First) high = middle - 1;
            else if (port > ranges[middle].Last) low = middle + 1;
            else return true;
        }
        return false;
    }
}
