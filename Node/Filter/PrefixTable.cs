using Mesh.Node.Device;

namespace Mesh.Node.Filter;

/// <summary>
/// Values by prefix, of which any number may cover an address. One look-up for each length of prefix that stands in it, which
/// in rules are few. Immutable.
/// </summary>
internal sealed class PrefixTable<T> where T : class
{
    private readonly Dictionary<IpPrefix, T> _values;
    private readonly int[] _v4Lengths;
    private readonly int[] _v6Lengths;

    public PrefixTable(IEnumerable<KeyValuePair<IpPrefix, T>> values)
    {
        _values = new Dictionary<IpPrefix, T>(values);
        _v4Lengths = Lengths(isV6: false);
        _v6Lengths = Lengths(isV6: true);
    }

    public bool IsEmpty => _values.Count == 0;

    public Matches Covering(in IpAddressBits address) => new(this, address);

    private int[] Lengths(bool isV6) =>
        [.. _values.Keys.Where(prefix => prefix.Address.IsV6 == isV6).Select(prefix => prefix.Length).Distinct().Order()];

    /// <summary>The values of the prefixes that cover an address, one by one.</summary>
    internal ref struct Matches(PrefixTable<T> table, IpAddressBits address)
    {
        private readonly int[] _lengths = address.IsV6 ? table._v6Lengths : table._v4Lengths;
        private int _next;

        public T? Next()
        {
            while (_next < _lengths.Length)
                if (table._values.TryGetValue(new IpPrefix(address, _lengths[_next++]), out T? value)) return value;
            return null;
        }
    }
}
