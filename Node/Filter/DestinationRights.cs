using Mesh.Node.Device;

namespace Mesh.Node.Filter;

/// <summary>
/// What some rules together allow towards each destination: the ports on "own addresses" (the rules that name no destination),
/// and those on prefixes. Immutable.
/// </summary>
internal sealed class DestinationRights
{
    public static readonly DestinationRights None = new([]);

    private readonly PortRights? _own;
    private readonly PrefixTable<PortRights> _others;

    public DestinationRights(IReadOnlyCollection<CompiledRule> rules)
    {
        PortRights.Builder? own = null;
        var others = new Dictionary<IpPrefix, PortRights.Builder>();
        foreach (var rule in rules)
        {
            if (rule.Destinations.Length == 0) (own ??= new PortRights.Builder()).Add(rule);
            foreach (var prefix in rule.Destinations)
            {
                if (!others.TryGetValue(prefix, out var builder)) others[prefix] = builder = new PortRights.Builder();
                builder.Add(rule);
            }
        }
        _own = own?.Build();
        _others = new PrefixTable<PortRights>(others.Select(other => KeyValuePair.Create(other.Key, other.Value.Build())));
    }

    /// <param name="isOwn">The destination is one of the receiving node's own addresses.</param>
    public bool Allows(in IpAddressBits destination, bool isOwn, byte protocol, ushort port)
    {
        if (isOwn && _own is not null && _own.Allows(protocol, port)) return true;
        if (_others.IsEmpty) return false;
        var matches = _others.Covering(destination);
        while (matches.Next() is { } rights)
            if (rights.Allows(protocol, port)) return true;
        return false;
    }
}
