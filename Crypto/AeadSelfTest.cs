using System.Runtime.InteropServices;

namespace Mesh.Crypto;

/// <summary>
/// What a vector implementation has to show at a process's start before it is used: RFC 8439's keystream, and libcrypto's answers
/// for batches of equal and of different lengths around every boundary, also that a changed bit is refused. It is repeated
/// until the runtime has seen enough of the code to compile it to the end, so that the first packets meet it quick.
/// </summary>
internal static unsafe class AeadSelfTest
{
    private const int Rounds = 32;
    private const int Room = 1536;
    private static readonly int[] Lengths = [0, 1, 15, 16, 17, 63, 64, 65, 80, 127, 200, 256, 447, 448, 511, 512, 513, 600, 1024, 1420];

    /// <returns>What is wrong; null for nothing.</returns>
    public static string? Run(AeadImplementation implementation)
    {
        int count = Lengths.Length + 9;
        var memory = (byte*)NativeMemory.Alloc((nuint)(2 * count * Room));
        try
        {
            string? fault = CheckKeystream(implementation, memory);
            for (int round = 0; round < Rounds && fault is null; round++) fault = CheckBatches(implementation, memory, count, round);
            return fault;
        }
        finally
        {
            NativeMemory.Free(memory);
        }
    }

    /// <summary>RFC 8439 appendix A.1, test vector 2: block 1 under a key and a nonce of zeroes.</summary>
    private static string? CheckKeystream(AeadImplementation implementation, byte* memory)
    {
        ReadOnlySpan<byte> expected =
        [
            0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d, 0x08, 0x0d,
            0xcb, 0x0f, 0x29, 0xa0, 0x48, 0xe3, 0x65, 0x69, 0x12, 0xc6, 0x53, 0x3e, 0x32, 0xee, 0x7a, 0xed,
            0x29, 0xb7, 0x21, 0x76, 0x9c, 0xe6, 0x4e, 0x43, 0xd5, 0x71, 0x33, 0xb0, 0x74, 0xd8, 0x39, 0xd5,
            0x31, 0xed, 0x1f, 0x28, 0x51, 0x0a, 0xfb, 0x45, 0xac, 0xe1, 0x0a, 0x1f, 0x4b, 0x79, 0x4d, 0x6f,
        ];
        var text = new Span<byte>(memory, expected.Length);
        text.Clear();
        TransportAead.Seal(implementation, stackalloc byte[TransportAead.KeyLength], [new AeadPacket(memory, text.Length, 0)]);
        return text.SequenceEqual(expected) ? null : "RFC 8439 A.1";
    }

    private static string? CheckBatches(AeadImplementation implementation, byte* memory, int count, int round)
    {
        int size = count * Room;
        byte* other = memory + size;
        Span<byte> ours = new(memory, size), theirs = new(other, size), key = stackalloc byte[TransportAead.KeyLength];
        for (int i = 0; i < size; i++) ours[i] = (byte)(i * 31 + (i >> 8) + round);
        for (int i = 0; i < key.Length; i++) key[i] = (byte)(7 * i + round);
        ours.CopyTo(theirs);
        var packets = new AeadPacket[count];
        var expected = new AeadPacket[count];
        for (int i = 0; i < count; i++)
        {
            int length = i < Lengths.Length ? Lengths[i] : Lengths[round % Lengths.Length];
            ulong counter = ulong.MaxValue / (ulong)(i + 1) - (ulong)round;
            packets[i] = new AeadPacket(memory + i * Room, length, counter);
            expected[i] = new AeadPacket(other + i * Room, length, counter);
        }
        TransportAead.Seal(implementation, key, packets);
        TransportAead.Seal(AeadImplementation.Library, key, expected);
        if (!ours.SequenceEqual(theirs)) return "sealing";

        for (int i = 0; i < count; i++)
        {
            packets[i].Length += TransportAead.TagLength;
            expected[i].Length += TransportAead.TagLength;
        }
        int forged = round % count;
        packets[forged].Source[round % packets[forged].Length] ^= 0x10;
        expected[forged].Source[round % packets[forged].Length] ^= 0x10;
        int authentic = TransportAead.Open(implementation, key, packets);
        TransportAead.Open(AeadImplementation.Library, key, expected);
        for (int i = 0; i < count; i++)
            if (packets[i].IsAuthentic != (i != forged)) return "authenticity";
        return authentic == count - 1 && ours.SequenceEqual(theirs) ? null : "opening";
    }
}
