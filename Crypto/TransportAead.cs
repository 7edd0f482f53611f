namespace Mesh.Crypto;

/// <summary>
/// ChaCha20-Poly1305 (RFC 8439) for the packet paths: batches of packets under one key, with a counter for a nonce and no
/// associated data. Packets of a batch may have different lengths; equal ones that stand behind each other are quickest.
/// A long packet gains little from company: one a call is nearly as fast from some 512 bytes on. Nothing is allocated.
/// Calls from several threads don't disturb each other.
/// </summary>
public static class TransportAead
{
    public const int KeyLength = 32;
    public const int TagLength = 16;

    /// <summary>Seals each packet: ciphertext at its destination, the tag right behind it.</summary>
    /// <param name="key">32 bytes.</param>
    public static void Seal(ReadOnlySpan<byte> key, ReadOnlySpan<AeadPacket> packets)
    {
        Check(key);
        LibraryAead.Seal(key, packets);
    }

    /// <summary>Opens each packet, and writes to each whether it was authentic. One that is forged does not touch the others.</summary>
    /// <param name="key">32 bytes.</param>
    /// <returns>How many were authentic.</returns>
    public static int Open(ReadOnlySpan<byte> key, Span<AeadPacket> packets)
    {
        Check(key);
        return LibraryAead.Open(key, packets);
    }

    private static void Check(ReadOnlySpan<byte> key)
    {
        if (key.Length != KeyLength) throw new ArgumentException($"a key has {KeyLength} bytes", nameof(key));
    }
}
