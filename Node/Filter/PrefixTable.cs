using System.Numerics;
using Mesh.Node.Device;

namespace Mesh.Node.Filter;

/// <summary>
/// Values by prefix, of which any number may cover an address. One look-up for each length of prefix that stands in it, which
/// in rules are few. Immutable.
/// </summary>
internal sealed class PrefixTable<T> where T : class
{
    private readonly OneLength[] _v4;
    private readonly OneLength[] _v6;

    /// <param name="values">Each prefix once.</param>
    public PrefixTable(IEnumerable<KeyValuePair<IpPrefix, T>> values)
    {
        var byLength = values.GroupBy(value => (value.Key.Address.IsV6, value.Key.Length)).OrderBy(group => group.Key.Length).ToLookup(
            group => group.Key.IsV6, group => new OneLength([.. group]));
        (_v4, _v6) = ([.. byLength[false]], [.. byLength[true]]);
    }

    public bool IsEmpty => _v4.Length == 0 && _v6.Length == 0;

    public Matches Covering(in IpAddressBits address) => new(address.IsV6 ? _v6 : _v4, address);

    /// <summary>The values of the prefixes that cover an address, one by one.</summary>
    internal ref struct Matches(OneLength[] lengths, in IpAddressBits address)
    {
        private readonly ulong _high = address.High, _low = address.Low;
        private int _next;

        public T? Next()
        {
            while (_next < lengths.Length)
                if (lengths[_next++].Find(_high, _low) is { } value) return value;
            return null;
        }
    }

    /// <summary>Prefixes of one length, in a hash table with at least one free place.</summary>
    internal sealed class OneLength
    {
        private readonly (ulong High, ulong Low, T? Value)[] _places;
        private readonly int _shift;
        private readonly ulong _highMask, _lowMask;

        public OneLength(KeyValuePair<IpPrefix, T>[] values)
        {
            IpPrefix first = values[0].Key;
            IpAddressBits mask = new IpPrefix(new IpAddressBits(first.Address.IsV6, ulong.MaxValue, ulong.MaxValue), first.Length).Address;
            (_highMask, _lowMask) = (mask.High, mask.Low);
            _places = new (ulong, ulong, T?)[BitOperations.RoundUpToPowerOf2((uint)values.Length * 2)];
            _shift = 64 - BitOperations.Log2((uint)_places.Length);
            foreach (var (prefix, value) in values)
            {
                int place = Home(prefix.Address.High, prefix.Address.Low);
                while (_places[place].Value is not null) place = Behind(place);
                _places[place] = (prefix.Address.High, prefix.Address.Low, value);
            }
        }

        public T? Find(ulong high, ulong low)
        {
            (high, low) = (high & _highMask, low & _lowMask);
            for (int place = Home(high, low); ; place = Behind(place))
            {
                ref var entry = ref _places[place];
                if (entry.Value is null || (entry.High == high && entry.Low == low)) return entry.Value;
            }
        }

        private int Home(ulong high, ulong low) => (int)((high ^ BitOperations.RotateLeft(low, 31)) * 0x9E37_79B9_7F4A_7C15 >> _shift);

        private int Behind(int place) => (place + 1) & (_places.Length - 1);
    }
}
