using System.Runtime.CompilerServices;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// The memory that a call of <see cref="VectorAead{TCipher, TCipherOps, TMac, TMacOps}"/> works in, on its stack, aligned to 64
/// bytes and laid out for the widest vectors. It holds keys; <see cref="ClearSecrets"/> ends its use.
/// </summary>
internal unsafe struct VectorWork
{
    public const int MaxPackets = 16;

    private const int BlockLength = 64;
    private const int CipherLength = 16 * BlockLength;
    private const int MacLength = 86 * MacLanes.MaxVectorLength;
    private const int TagLength = TransportAead.TagLength;

    private fixed byte _cipher[CipherLength];
    private fixed byte _mac[MacLength];
    private fixed byte _macKeys[MaxPackets * BlockLength];
    private fixed byte _tails[CipherLanes.MaxLanes * BlockLength];
    private fixed byte _early[CipherLanes.MaxLanes * BlockLength];
    private fixed byte _tags[MacLanes.MaxLanes * TagLength];
    private fixed byte _nothing[BlockLength];

    /// <summary>Lanes with blocks of different packets.</summary>
    public CipherLanes Mixed;

    /// <summary>Lanes with consecutive blocks of one packet.</summary>
    public CipherLanes Consecutive;

    public MacLanes Mac;

    /// <summary>The state's first twelve vectors, and room for the kernel.</summary>
    public static byte* Cipher(VectorWork* work) => work->_cipher;

    public static byte* MacVectors(VectorWork* work) => work->_mac;

    /// <summary>Block 0 of a packet of the group, which begins with its one-time key.</summary>
    public static byte* MacKey(VectorWork* work, long packet) => work->_macKeys + packet * BlockLength;

    /// <summary>A block's place for a lane that has less than a block to work on, or nothing.</summary>
    public static byte* Tail(VectorWork* work, int lane) => work->_tails + lane * BlockLength;

    /// <summary>Keystream that was made before it was known whether it would be used.</summary>
    public static byte* Early(VectorWork* work, int block) => work->_early + block * BlockLength;

    public static byte* Tag(VectorWork* work, int lane) => work->_tags + lane * TagLength;

    /// <summary>A block of zeroes.</summary>
    public static byte* Nothing(VectorWork* work) => work->_nothing;

    public static void Start(VectorWork* work)
    {
        new Span<byte>(work->_nothing, BlockLength).Clear();
        work->Mixed.NonceStart = 0;
        work->Consecutive.NonceStart = 0;
        for (int lane = 0; lane < MacLanes.MaxLanes; lane++) work->Mac.AssociatedLengths[lane] = 0;
        work->Mac.Nothing[0] = 0;
        work->Mac.Nothing[1] = 0;
        work->Mac.HighBit[0] = 1 << 24;
        work->Mac.HighBit[1] = 0;
    }

    /// <param name="packets">The most that a group had.</param>
    /// <param name="macLength">Bytes of <see cref="MacVectors"/> that were used.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void ClearSecrets(VectorWork* work, int cipherLanes, int packets, int macLength)
    {
        new Span<byte>(work->_cipher, 16 * cipherLanes * sizeof(uint)).Clear();
        new Span<byte>(work->_mac, macLength).Clear();
        new Span<byte>(work->_macKeys, packets * BlockLength).Clear();
        new Span<byte>(work->_tails, cipherLanes * BlockLength).Clear();
        new Span<byte>(work->_early, cipherLanes * BlockLength).Clear();
    }
}
