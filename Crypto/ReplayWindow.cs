namespace Mesh.Crypto;

/// <summary>
/// Sliding window against replayed counters (RFC 6479): a ring of bits in blocks of 64, of which one is always being cleared.
/// A counter is accepted once, and only while fewer than <see cref="Width"/> behind the largest accepted. One thread at a time
/// accepts; others may ask meanwhile.
/// </summary>
public sealed class ReplayWindow
{
    private const int Blocks = 128;
    private const int BlockBits = 64;

    /// <summary>How far behind the largest a counter may be and still be accepted.</summary>
    public const int Width = (Blocks - 1) * BlockBits;

    private readonly ulong[] _ring = new ulong[Blocks];
    private ulong _largest;

    /// <summary>The largest counter accepted; 0 before the first.</summary>
    public ulong Largest => Volatile.Read(ref _largest);

    /// <summary>
    /// Whether <paramref name="counter"/> would be accepted now; cheap, to be asked before the packet is opened. While another thread
    /// accepts, what it says no to is refused for good, and what it says yes to may be.
    /// </summary>
    public bool MayAccept(ulong counter)
    {
        // Read before the ring, which is cleared before it is written.
        ulong largest = Largest;
        return counter > largest || (largest - counter < Width && (_ring[Slot(counter)] & Bit(counter)) == 0);
    }

    /// <summary>Accepts the counter of an authenticated packet.</summary>
    /// <returns>False when it was accepted before or is too far behind.</returns>
    public bool TryAccept(ulong counter)
    {
        if (counter > _largest)
        {
            ulong from = _largest / BlockBits;
            ulong steps = Math.Min(counter / BlockBits - from, Blocks);
            for (ulong i = 1; i <= steps; i++) _ring[(from + i) % Blocks] = 0;
            Volatile.Write(ref _largest, counter);
        }
        else if (_largest - counter >= Width) return false;

        ref ulong block = ref _ring[Slot(counter)];
        if ((block & Bit(counter)) != 0) return false;
        block |= Bit(counter);
        return true;
    }

    private static int Slot(ulong counter) => (int)(counter / BlockBits % Blocks);

    private static ulong Bit(ulong counter) => 1UL << (int)(counter % BlockBits);
}
