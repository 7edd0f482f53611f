using System.Runtime.CompilerServices;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// The messages that a Poly1305 kernel works on, one a lane, and its room to work in. Laid out for the widest kernel. All but
/// the first five members is the kernel's own.
/// </summary>
internal unsafe struct MacLanes
{
    public const int MaxLanes = 8;
    public const int MaxVectorLength = 64;

    private const int TailLength = 32;

    /// <summary>One-time keys: r, then s (RFC 8439 section 2.5), 32 bytes.</summary>
    public Pointers Keys;

    /// <summary>The ciphertexts, of which exactly as many bytes are read as they have.</summary>
    public Pointers Messages;
    public fixed int Lengths[MaxLanes];

    /// <summary>
    /// How much of a message is associated data, which is filled up to 16 bytes and stands before the ciphertext: none in
    /// transport messages, some in published vectors.
    /// </summary>
    public fixed int AssociatedLengths[MaxLanes];

    /// <summary>Where the 16 bytes of each tag go.</summary>
    public Pointers Tags;

    public Pointers Positions;
    public Pointers HighBitPositions;

    /// <summary>Of each lane: the last block of the message, filled up with zeroes, and the block of the lengths.</summary>
    public fixed byte Tails[MaxLanes * TailLength];

    /// <summary>16 bytes of zero, and the bit above a block's 128 as its uppermost limb has it, with 8 bytes of zero.</summary>
    public fixed ulong Nothing[2];
    public fixed ulong HighBit[2];

    /// <summary>Five limbs of a power of r for each lane, in pairs.</summary>
    public fixed ulong Powers[MaxLanes * 6];

    public byte* Tail(int lane) => (byte*)Unsafe.AsPointer(ref Tails[lane * TailLength]);

    /// <summary>A pointer for each lane.</summary>
    public struct Pointers
    {
        private fixed ulong _values[MaxLanes];

        public byte** First => (byte**)Unsafe.AsPointer(ref _values[0]);

        public byte* this[int lane]
        {
            readonly get => (byte*)_values[lane];
            set => _values[lane] = (ulong)value;
        }
    }
}
