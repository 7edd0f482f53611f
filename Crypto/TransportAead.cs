using System.Runtime.CompilerServices;

namespace Mesh.Crypto;

/// <summary>
/// ChaCha20-Poly1305 (RFC 8439) for the packet paths: batches of packets under one key, with a counter for a nonce and no
/// associated data. Packets of a batch may have different lengths. Short ones of about one length that stand behind each other
/// gain most from company; from some 1,000 bytes on, one a call is nearly as fast as many. Nothing is allocated. Calls from several
/// threads don't disturb each other.
/// <para>
/// What carries it out is chosen once a process (docs/decisions/0001-vector-aead.md). The environment's MESH_AEAD=library, or the
/// AppContext switch Mesh.Crypto.LibraryAead, switches this project's own vectors off.
/// </para>
/// </summary>
public static class TransportAead
{
    public const int KeyLength = 32;
    public const int TagLength = 16;

    private static readonly AeadChoice Choice = AeadChoice.Make();
    private static readonly AeadImplementation Chosen = Choice.Implementation;

    public static AeadImplementation Implementation => Chosen;

    /// <summary>Why it is that one, for a log.</summary>
    public static string Reason => Choice.Reason;

    /// <summary>The choice deserves a warning: the self-test failed, or the option could not be read.</summary>
    public static bool IsFault => Choice.IsFault;

    /// <summary>Seals each packet: ciphertext at its destination, the tag right behind it.</summary>
    /// <param name="key">32 bytes.</param>
    public static void Seal(ReadOnlySpan<byte> key, ReadOnlySpan<AeadPacket> packets) => Seal(Chosen, key, packets);

    /// <summary>Opens each packet, and writes to each whether it was authentic. One that is forged does not touch the others.</summary>
    /// <param name="key">32 bytes.</param>
    /// <returns>How many were authentic.</returns>
    public static int Open(ReadOnlySpan<byte> key, Span<AeadPacket> packets) => Open(Chosen, key, packets);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Seal(AeadImplementation implementation, ReadOnlySpan<byte> key, ReadOnlySpan<AeadPacket> packets)
    {
        Check(key, packets);
        switch (implementation)
        {
            case AeadImplementation.Vector256:
                VectorAead256.Seal(key, packets);
                break;
            case AeadImplementation.Vector512:
                VectorAead512.Seal(key, packets);
                break;
            default:
                LibraryAead.Seal(key, packets);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Open(AeadImplementation implementation, ReadOnlySpan<byte> key, Span<AeadPacket> packets)
    {
        Check(key, packets);
        return implementation switch
        {
            AeadImplementation.Vector256 => VectorAead256.Open(key, packets),
            AeadImplementation.Vector512 => VectorAead512.Open(key, packets),
            _ => LibraryAead.Open(key, packets),
        };
    }

    private static void Check(ReadOnlySpan<byte> key, ReadOnlySpan<AeadPacket> packets)
    {
        if (key.Length != KeyLength) throw new ArgumentException($"a key has {KeyLength} bytes", nameof(key));
        foreach (ref readonly AeadPacket packet in packets)
            if (packet.Length < 0) throw new ArgumentException("a packet has no negative length", nameof(packets));
    }
}
