using System.Security.Cryptography;

namespace Mesh.Node.Filter;

/// <summary>
/// Keys with a small value and a time at which they end: as many as fit, in memory taken once. Sets of eight; where one is
/// full, what would end soonest makes room, so that a flood of short-lived entries can't push out the long-lived ones. The
/// place of a key follows from secrets of this table, so that nobody can aim at a set.
/// <para>
/// Safe between threads. Finding and changing take no lock, and nobody waits: each entry has a version that is odd while one writer,
/// who claimed it by an exchange, changes it. Whoever meets a claimed entry tries a few times and then takes it for another's: a
/// reader that finds nothing, at worst for one packet of the very flow whose entry is being written. Who adds waits for others who
/// add, so that a key has one entry and no two take the same place.
/// </para>
/// </summary>
internal sealed class BoundedTable
{
    private const int Ways = 8;
    private const int Tries = 16;

    private readonly Entry[] _entries;
    // A part of each entry's hash, so that looking for a key reads one cache line; 0 for an entry never used.
    private readonly uint[] _tags;
    private readonly int _setMask;
    private readonly Lock _adding = new();
    private readonly ulong _secretA = Secret(), _secretB = Secret(), _secretC = Secret(), _secretD = Secret();
    private long _evictions;

    /// <param name="capacity">A power of two, 8 or more.</param>
    public BoundedTable(int capacity)
    {
        _entries = new Entry[capacity];
        _tags = new uint[capacity];
        _setMask = capacity / Ways - 1;
    }

    /// <summary>Entries that were pushed out before their time.</summary>
    public long Evictions => Interlocked.Read(ref _evictions);

    /// <summary>Finds what has not ended.</summary>
    /// <param name="slot">For <see cref="Update"/>.</param>
    public bool TryFind(in FlowKey key, long now, out int value, out long endsAt, out int slot)
    {
        ulong hash = Hash(key);
        slot = Find(key, hash, out value, out endsAt);
        return slot >= 0 && endsAt > now;
    }

    /// <summary>Changes what was found, if it is still there.</summary>
    public void Update(int slot, in FlowKey key, int value, long endsAt)
    {
        ref Entry entry = ref _entries[slot];
        if (!TryClaim(ref entry, out int version)) return;
        if (entry.Key.Matches(key)) (entry.Value, entry.EndsAt) = (value, endsAt);
        Volatile.Write(ref entry.Version, version + 2);
    }

    /// <summary>Adds or replaces.</summary>
    public void Put(in FlowKey key, int value, long endsAt, long now)
    {
        ulong hash = Hash(key);
        lock (_adding)
        {
            int slot = Find(key, hash, out _, out _);
            if (slot < 0) slot = Victim(SetOf(hash), now);
            ref Entry entry = ref _entries[slot];
            if (!TryClaim(ref entry, out int version)) return;
            if (entry.EndsAt > now && !entry.Key.Matches(key)) Interlocked.Increment(ref _evictions);
            (entry.Key, entry.Value, entry.EndsAt) = (key, value, endsAt);
            Volatile.Write(ref entry.Version, version + 2);
            Volatile.Write(ref _tags[slot], TagOf(hash));
        }
    }

    public void Remove(in FlowKey key)
    {
        int slot = Find(key, Hash(key), out _, out _);
        if (slot >= 0) Update(slot, key, 0, 0);
    }

    private int Find(in FlowKey key, ulong hash, out int value, out long endsAt)
    {
        uint tag = TagOf(hash);
        int set = SetOf(hash);
        for (int slot = set; slot < set + Ways; slot++)
            if (Volatile.Read(ref _tags[slot]) == tag && TryRead(ref _entries[slot], key, out value, out endsAt)) return slot;
        (value, endsAt) = (0, 0);
        return -1;
    }

    private static bool TryRead(ref Entry entry, in FlowKey key, out int value, out long endsAt)
    {
        for (int i = 0; i < Tries; i++)
        {
            int version = Volatile.Read(ref entry.Version);
            bool matches = entry.Key.Matches(key);
            (value, endsAt) = (entry.Value, entry.EndsAt);
            Volatile.ReadBarrier();
            if ((version & 1) == 0 && entry.Version == version) return matches;
        }
        (value, endsAt) = (0, 0);
        return false;
    }

    private static bool TryClaim(ref Entry entry, out int version)
    {
        for (int i = 0; i < Tries; i++)
        {
            version = Volatile.Read(ref entry.Version);
            if ((version & 1) == 0 && Interlocked.CompareExchange(ref entry.Version, version + 1, version) == version) return true;
        }
        version = 0;
        return false;
    }

    /// <summary>A free or ended entry of the set, else the one that ends soonest.</summary>
    private int Victim(int set, long now)
    {
        int victim = set;
        long soonest = long.MaxValue;
        for (int slot = set; slot < set + Ways; slot++)
        {
            long endsAt = _tags[slot] == 0 ? 0 : Volatile.Read(ref _entries[slot].EndsAt);
            if (endsAt <= now) return slot;
            if (endsAt < soonest) (soonest, victim) = (endsAt, slot);
        }
        return victim;
    }

    private int SetOf(ulong hash) => ((int)hash & _setMask) * Ways;

    private static uint TagOf(ulong hash) => (uint)(hash >> 32) | 1;

    private ulong Hash(in FlowKey key)
    {
        ulong hash = Mix(key.LocalHigh ^ _secretA, key.LocalLow ^ _secretB);
        hash = Mix(hash ^ key.RemoteHigh, key.RemoteLow ^ _secretC);
        hash = Mix(hash ^ key.Peer, ((ulong)key.Ports << 32 | key.Protocol) ^ _secretD);
        return hash;
    }

    private static ulong Mix(ulong a, ulong b) => Math.BigMul(a, b, out ulong low) ^ low;

    private static ulong Secret()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return BitConverter.ToUInt64(bytes) | 1;
    }

    private struct Entry
    {
        public int Version;
        public int Value;
        public long EndsAt;
        public FlowKey Key;
    }
}
