using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy.Effect;

/// <summary>Numbers in order, as a value: equal sets are equal.</summary>
internal sealed class IndexSet : IEquatable<IndexSet>
{
    private readonly int _hash;

    /// <param name="items">In any order, each once.</param>
    public IndexSet(IEnumerable<int> items)
    {
        Items = [.. items.Order()];
        var hash = new HashCode();
        hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Items.AsSpan()));
        _hash = hash.ToHashCode();
    }

    public ImmutableArray<int> Items { get; }

    public bool Equals(IndexSet? other) => other is not null && Items.AsSpan().SequenceEqual(other.Items.AsSpan());

    public override bool Equals(object? obj) => Equals(obj as IndexSet);

    public override int GetHashCode() => _hash;
}
