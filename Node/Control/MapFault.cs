namespace Mesh.Node.Control;

/// <summary>Why a frame was not applied. The map stays as it was, the poll ends and begins again with a snapshot.</summary>
public enum MapFaultKind
{
    /// <summary>Nothing wrong.</summary>
    None,

    /// <summary>A field is missing, over its bound, or has a value it cannot have.</summary>
    Field,

    /// <summary>A delta came where no snapshot had.</summary>
    DeltaWithoutMap,

    /// <summary>A removal or presence names a peer that the map does not hold.</summary>
    UnknownPeer,

    /// <summary>One peer stands twice in a frame, or the node itself among its peers.</summary>
    RepeatedPeer,

    /// <summary>Two peers hold one node key, or a peer holds this node's.</summary>
    KeyHeldTwice,

    /// <summary>Two peers are primary for one prefix, or a peer for an address of this node.</summary>
    PrefixHeldTwice,

    /// <summary>The node id or node key is not this node's.</summary>
    NotOurs,

    /// <summary>The log's head does not verify under the coordinator's root.</summary>
    Head,

    /// <summary>The announced next root is not signed by the present one.</summary>
    NextRoot,
}

/// <param name="Field">Of <see cref="MapFaultKind.Field"/>: which; otherwise what is concerned, in a word.</param>
public readonly record struct MapFault(MapFaultKind Kind, string Field = "")
{
    public static MapFault None => default;

    public bool IsNone => Kind == MapFaultKind.None;

    public override string ToString() => string.IsNullOrEmpty(Field) ? Kind.ToString() : $"{Kind} ({Field})";
}
