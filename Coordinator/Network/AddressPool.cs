using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace Mesh.Coordinator.Network;

/// <summary>
/// The addresses of a network: an IPv4 pool, and for each of its addresses an IPv6 address whose last 32 bits are the same.
/// Immutable. Addresses go out in order; one that was given back waits, oldest first, until no fresh one is left.
/// </summary>
public sealed class AddressPool
{
    private readonly uint _first, _last;
    private readonly ImmutableArray<(uint First, uint Last)> _excluded; // Sorted, disjoint.
    private readonly UInt128 _ipv6Base;

    /// <summary>Below it, every address was given out once or is excluded. A ulong, so that it can stand behind the last one.</summary>
    private readonly ulong _cursor;
    private readonly ImmutableHashSet<uint> _taken;

    /// <summary>Given out at some time, out of order, at or after the cursor.</summary>
    private readonly ImmutableHashSet<uint> _usedAhead;

    /// <summary>
    /// Given back, oldest first. An entry counts only while <see cref="_waiting"/> has its turn: an address that is taken out of turn
    /// leaves its entry behind.
    /// </summary>
    private readonly ImmutableQueue<(uint Address, long Turn)> _returned;
    private readonly ImmutableDictionary<uint, long> _waiting;
    private readonly long _nextTurn;

    private AddressPool(
        uint first, uint last, ImmutableArray<(uint, uint)> excluded, UInt128 ipv6Base, ulong cursor,
        ImmutableHashSet<uint> taken, ImmutableHashSet<uint> usedAhead, ImmutableQueue<(uint, long)> returned,
        ImmutableDictionary<uint, long> waiting, long nextTurn)
    {
        _first = first;
        _last = last;
        _excluded = excluded;
        _ipv6Base = ipv6Base;
        _cursor = cursor;
        _taken = taken;
        _usedAhead = usedAhead;
        _returned = returned;
        _waiting = waiting;
        _nextTurn = nextTurn;
    }

    public int Taken => _taken.Count;

    public static AddressPool Create(AddressPlan plan)
    {
        var (first, last) = RangeOf(plan.IPv4);
        var excluded = plan.IPv4Excluded.Select(RangeOf).OrderBy(range => range.First).ToImmutableArray();
        // The first and last address of the pool look like a network's own and its broadcast address to many tools.
        return new AddressPool(
            first + 1, last - 1, excluded, ToUInt128(plan.IPv6.BaseAddress), first + 1UL, [], [], [],
            ImmutableDictionary<uint, long>.Empty, 0);
    }

    /// <summary>All but the addresses that are taken.</summary>
    internal Snapshots.PoolSnapshot Save()
    {
        var snapshot = new Snapshots.PoolSnapshot { Cursor = _cursor };
        snapshot.UsedAhead.AddRange(_usedAhead.Order());
        foreach (var entry in _returned)
            if (IsWaiting(_waiting, entry))
                snapshot.Returned.Add(entry.Address);
        return snapshot;
    }

    /// <summary>The pool that <see cref="Save"/> was asked of.</summary>
    internal static AddressPool Restore(AddressPlan plan, IEnumerable<IPAddress> taken, Snapshots.PoolSnapshot snapshot)
    {
        var pool = Create(plan);
        var returned = ImmutableQueue.CreateRange(snapshot.Returned.Select((address, turn) => (address, (long)turn)));
        var waiting = snapshot.Returned.Select((address, turn) => KeyValuePair.Create(address, (long)turn)).ToImmutableDictionary();
        return pool.With(
            snapshot.Cursor, [.. taken.Select(ToUInt32).Where(address => address >= pool._first && address <= pool._last)],
            [.. snapshot.UsedAhead], returned, waiting, snapshot.Returned.Count);
    }

    /// <summary>The IPv4 address that comes next, or null when every one is taken. Changes nothing.</summary>
    public IPAddress? Next() => NextValue() is { } value ? ToAddress(value) : null;

    /// <summary>The IPv6 address that goes with an IPv4 address of the pool.</summary>
    public IPAddress IPv6For(IPAddress ipv4)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, _ipv6Base | ToUInt32(ipv4));
        return new IPAddress(bytes);
    }

    public bool IsTaken(IPAddress ipv4) => _taken.Contains(ToUInt32(ipv4));

    /// <summary>Marks an address as taken. It need not be the next one; one outside the pool is let be.</summary>
    public AddressPool Take(IPAddress ipv4)
    {
        var value = ToUInt32(ipv4);
        if (value < _first || value > _last)
            return this;
        var cursor = _cursor;
        var ahead = _usedAhead;
        if (value >= cursor)
        {
            ahead = ahead.Add(value);
            cursor = FreshFrom(cursor, ahead);
            if (cursor > value)
                ahead = ahead.Count == 1 ? ahead.Clear() : Trim(ahead, cursor);
        }

        var waiting = _waiting.Remove(value);
        var returned = _returned;
        while (!returned.IsEmpty && !IsWaiting(waiting, returned.Peek()))
            returned = returned.Dequeue();
        return With(cursor, _taken.Add(value), ahead, returned, waiting, _nextTurn);
    }

    /// <summary>Gives an address back.</summary>
    public AddressPool Return(IPAddress ipv4)
    {
        var value = ToUInt32(ipv4);
        return _taken.Contains(value)
            ? With(
                _cursor, _taken.Remove(value), _usedAhead, _returned.Enqueue((value, _nextTurn)), _waiting.Add(value, _nextTurn), _nextTurn + 1)
            : this;
    }

    private static ImmutableHashSet<uint> Trim(ImmutableHashSet<uint> ahead, ulong cursor) =>
        ahead.Except(ahead.Where(value => value < cursor));

    private static (uint First, uint Last) RangeOf(IPNetwork network)
    {
        if (network.BaseAddress.AddressFamily != AddressFamily.InterNetwork)
            throw new ArgumentException($"{network} is not an IPv4 prefix.", nameof(network));
        var first = ToUInt32(network.BaseAddress);
        return (first, first | (network.PrefixLength == 0 ? uint.MaxValue : (uint)((1UL << (32 - network.PrefixLength)) - 1)));
    }

    private static uint ToUInt32(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        return address.TryWriteBytes(bytes, out var written) && written == 4 ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : 0;
    }

    private static UInt128 ToUInt128(IPAddress address) => BinaryPrimitives.ReadUInt128BigEndian(address.GetAddressBytes());

    private static IPAddress ToAddress(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return new IPAddress(bytes);
    }

    private uint? NextValue()
    {
        if (_cursor <= _last)
        {
            var fresh = FreshFrom(_cursor, _usedAhead);
            if (fresh <= _last)
                return (uint)fresh;
        }

        foreach (var entry in _returned)
            if (IsWaiting(_waiting, entry))
                return entry.Address;
        return null;
    }

    private ulong FreshFrom(ulong value, ImmutableHashSet<uint> usedAhead)
    {
        while (value <= _last)
        {
            var excluded = ExclusionAt((uint)value);
            if (excluded is { } end)
                value = end + 1UL;
            else if (usedAhead.Contains((uint)value))
                value++;
            else
                break;
        }

        return value;
    }

    private uint? ExclusionAt(uint value)
    {
        foreach (var (first, last) in _excluded)
            if (value >= first && value <= last)
                return last;
        return null;
    }

    private static bool IsWaiting(ImmutableDictionary<uint, long> waiting, (uint Address, long Turn) entry) =>
        waiting.TryGetValue(entry.Address, out var turn) && turn == entry.Turn;

    private AddressPool With(
        ulong cursor, ImmutableHashSet<uint> taken, ImmutableHashSet<uint> usedAhead, ImmutableQueue<(uint, long)> returned,
        ImmutableDictionary<uint, long> waiting, long nextTurn) =>
        new(_first, _last, _excluded, _ipv6Base, cursor, taken, usedAhead, returned, waiting, nextTurn);
}
