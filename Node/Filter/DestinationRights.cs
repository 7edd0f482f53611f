using Mesh.Node.Device;

namespace Mesh.Node.Filter;

/// <summary>
/// What some rules together allow towards each destination: the ports on "own addresses" (the rules that name no destination),
/// and those on prefixes. Immutable.
/// </summary>
internal sealed class DestinationRights
{
    public static readonly DestinationRights None = new([], byClass: true);

    private readonly PortRights? _ownV4;
    private readonly PortRights? _ownV6;
    private readonly PrefixTable<PortRights> _others;

    /// <param name="byClass">The rules matched by their classes, which their IP version bounds.</param>
    public DestinationRights(IReadOnlyCollection<CompiledRule> rules, bool byClass)
    {
        PortRights.Builder? ownV4 = null, ownV6 = null;
        var others = new Dictionary<IpPrefix, PortRights.Builder>();
        foreach (var rule in rules)
        {
            bool inV4 = !byClass || rule.HoldsIn(isV6: false), inV6 = !byClass || rule.HoldsIn(isV6: true);
            if (rule.Destinations.Length == 0)
            {
                if (inV4) (ownV4 ??= new PortRights.Builder()).Add(rule);
                if (inV6) (ownV6 ??= new PortRights.Builder()).Add(rule);
            }
            foreach (var prefix in rule.Destinations)
            {
                if (!(prefix.Address.IsV6 ? inV6 : inV4)) continue;
                if (!others.TryGetValue(prefix, out var builder)) others[prefix] = builder = new PortRights.Builder();
                builder.Add(rule);
            }
        }
        _ownV4 = ownV4?.Build();
        _ownV6 = ownV6?.Build();
        _others = new PrefixTable<PortRights>(others.Select(other => KeyValuePair.Create(other.Key, other.Value.Build())));
    }

    /// <param name="isOwn">The destination is one of the receiving node's own addresses.</param>
    public bool Allows(in IpAddressBits destination, bool isOwn, byte protocol, ushort port)
    {
        if (isOwn && (destination.IsV6 ? _ownV6 : _ownV4) is { } own && own.Allows(protocol, port)) return true;
        if (_others.IsEmpty) return false;
        var matches = _others.Covering(destination);
        while (matches.Next() is { } rights)
            if (rights.Allows(protocol, port)) return true;
        return false;
    }
}
