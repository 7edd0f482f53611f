namespace Mesh.Crypto.Vectors;

/// <summary>
/// A vector of 32-bit words, one word of as many ChaCha20 blocks as it has lanes: what the one kernel needs of a width.
/// </summary>
internal unsafe interface ICipherVector<TVector> where TVector : unmanaged
{
    static abstract int Lanes { get; }

    static abstract TVector Broadcast(uint word);

    /// <summary>0, 1, 2, ...</summary>
    static abstract TVector Iota { get; }

    static abstract TVector Add(TVector left, TVector right);

    static abstract TVector Xor(TVector left, TVector right);

    /// <param name="variant">
    /// 0 to 3, a constant, without influence on the result. Where a rotation takes a constant vector, each variant takes a
    /// different one: the compiler would keep a common one in a register, and spill the state for it.
    /// </param>
    static abstract TVector RotateLeft16(TVector value, int variant);

    static abstract TVector RotateLeft12(TVector value);

    /// <inheritdoc cref="RotateLeft16"/>
    static abstract TVector RotateLeft8(TVector value, int variant);

    static abstract TVector RotateLeft7(TVector value);

    /// <summary>
    /// Turns 16 words of each lane into each lane's 64 bytes, and writes them, mixed into what stands at the lane's source, to its
    /// destination.
    /// </summary>
    static abstract void MixInto(byte** sources, byte** destinations,
        TVector x0, TVector x1, TVector x2, TVector x3, TVector x4, TVector x5, TVector x6, TVector x7,
        TVector x8, TVector x9, TVector x10, TVector x11, TVector x12, TVector x13, TVector x14, TVector x15);
}
