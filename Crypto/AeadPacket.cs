namespace Mesh.Crypto;

/// <summary>
/// One packet of a batch for <see cref="TransportAead"/>. It points into memory that its caller owns, and that neither moves
/// nor is freed or touched by others while the batch is worked on (native, or pinned). No alignment is asked for. Exactly
/// <see cref="Length"/> bytes are read at <see cref="Source"/>, and exactly the result's length is written at
/// <see cref="Destination"/>: nothing before or behind is read or written, so that packets may stand side by side.
/// </summary>
public unsafe struct AeadPacket
{
    /// <summary>What is to be sealed, or the ciphertext with its tag behind.</summary>
    public byte* Source { get; set; }

    /// <summary>
    /// Where the result goes: the ciphertext with its tag behind (<see cref="Length"/> + 16 bytes), or the plaintext
    /// (<see cref="Length"/> - 16 bytes). Either the same place as <see cref="Source"/>, or no
    /// byte of it; and no byte of another packet of the batch.
    /// </summary>
    public byte* Destination { get; set; }

    /// <summary>The nonce: 32 bits of zero and this, little-endian (WireGuard paper section 5.4.6). Never twice under a key.</summary>
    public ulong Counter { get; set; }

    /// <summary>Bytes at <see cref="Source"/>: of plaintext to seal, or of ciphertext and tag to open. Not changed by either.</summary>
    public int Length { get; set; }

    /// <summary>
    /// Written by <see cref="TransportAead.Open"/>: the tag holds. Where it is false, nothing of the plaintext came out, and
    /// <see cref="Destination"/> holds zeroes (but where there was no room for a tag, which leaves it as it was).
    /// </summary>
    public bool IsAuthentic { get; set; }

    /// <summary>A packet that is sealed or opened where it stands.</summary>
    public AeadPacket(byte* data, int length, ulong counter) : this(data, data, length, counter)
    {
    }

    public AeadPacket(byte* source, byte* destination, int length, ulong counter)
    {
        Source = source;
        Destination = destination;
        Counter = counter;
        Length = length;
    }
}
