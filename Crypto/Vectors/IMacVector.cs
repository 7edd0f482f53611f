namespace Mesh.Crypto.Vectors;

/// <summary>
/// A vector of 64-bit lanes, one limb of as many Poly1305 sums as it has lanes: what the one kernel needs of a width. Which
/// lane belongs to which message is the width's own matter: only <see cref="Gather"/> and <see cref="Scatter"/> know it.
/// </summary>
internal unsafe interface IMacVector<TVector> where TVector : unmanaged
{
    static abstract int Lanes { get; }

    static abstract TVector Broadcast(ulong value);

    /// <summary>Reads 16 bytes at <paramref name="offset"/> of each lane's pointer, as two little-endian halves.</summary>
    static abstract void Gather(byte** pointers, nint offset, out TVector low, out TVector high);

    /// <summary>Writes two halves as the 16 bytes at each lane's pointer.</summary>
    static abstract void Scatter(byte** pointers, TVector low, TVector high);

    /// <summary>The product of the lanes' lower 32 bits.</summary>
    static abstract TVector Multiply(TVector left, TVector right);

    static abstract TVector Add(TVector left, TVector right);

    static abstract TVector Subtract(TVector left, TVector right);

    static abstract TVector And(TVector left, TVector right);

    static abstract TVector Or(TVector left, TVector right);

    static abstract TVector ShiftLeft(TVector value, int count);

    static abstract TVector ShiftRight(TVector value, int count);
}
