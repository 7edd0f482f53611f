using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Mesh.Node.Device;

/// <summary>What a receiver index can stand for: a session, or a handshake that waits for its response.</summary>
internal interface IIndexed
{
    uint LocalIndex { get; set; }
}

/// <summary>
/// The indices that this device gave out, each random, so that they tell an observer nothing. Looking up takes no lock and
/// allocates nothing, from any number of threads.
/// </summary>
internal sealed class IndexTable
{
    private readonly ConcurrentDictionary<uint, IIndexed> _entries = new();

    public int Count => _entries.Count;

    /// <summary>A copy of what stands in the table.</summary>
    public IReadOnlyCollection<IIndexed> Entries => [.. _entries.Values];

    public IIndexed? Find(uint index) => _entries.TryGetValue(index, out var entry) ? entry : null;

    /// <summary>Gives the entry an index that no other has.</summary>
    public void Add(IIndexed entry)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        do
        {
            RandomNumberGenerator.Fill(bytes);
            entry.LocalIndex = BitConverter.ToUInt32(bytes);
        }
        while (!_entries.TryAdd(entry.LocalIndex, entry));
    }

    /// <summary>Hands an index on from a handshake to the session that it made.</summary>
    public void Replace(IIndexed from, IIndexed to)
    {
        to.LocalIndex = from.LocalIndex;
        _entries[to.LocalIndex] = to;
    }

    public void Remove(IIndexed entry) => _entries.TryRemove(KeyValuePair.Create(entry.LocalIndex, entry));
}
