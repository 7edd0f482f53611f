using System.Runtime.CompilerServices;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// What each lane of a ChaCha20 kernel works on: any block of any packet under the one key. In memory of the caller's; laid out
/// for the widest kernel.
/// </summary>
internal unsafe struct CipherLanes
{
    public const int MaxLanes = 16;

    /// <summary>The block's number within its packet, and the packet's counter in halves: words 12, 14 and 15 of the state.</summary>
    public fixed uint Blocks[MaxLanes];
    public fixed uint CountersLow[MaxLanes];
    public fixed uint CountersHigh[MaxLanes];

    /// <summary>The nonce's first 32 bits, word 13, of all lanes: zero in WireGuard's nonces, and other in published vectors.</summary>
    public uint NonceStart;

    /// <summary>64 bytes are read at the source, mixed with the keystream, and written to the destination.</summary>
    private fixed ulong _sources[MaxLanes];
    private fixed ulong _destinations[MaxLanes];

    public byte** Sources => (byte**)Unsafe.AsPointer(ref _sources[0]);

    public byte** Destinations => (byte**)Unsafe.AsPointer(ref _destinations[0]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Set(int lane, uint block, ulong counter, byte* source, byte* destination)
    {
        Blocks[lane] = block;
        CountersLow[lane] = (uint)counter;
        CountersHigh[lane] = (uint)(counter >> 32);
        _sources[lane] = (ulong)source;
        _destinations[lane] = (ulong)destination;
    }
}
