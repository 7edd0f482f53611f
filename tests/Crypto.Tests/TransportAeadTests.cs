using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

public sealed unsafe class TransportAeadTests
{
    private static readonly byte[] Key = Counting(32, 0x80);

    [Fact]
    public void A_batch_is_sealed_and_opened_as_its_packets_would_be_alone()
    {
        const int Count = 70;
        const int Room = 2048;
        byte[] memory = new byte[Count * Room], before = new byte[Count * Room];
        new Random(1).NextBytes(memory);
        memory.CopyTo(before, 0);
        fixed (byte* m = memory)
        {
            var packets = new AeadPacket[Count];
            for (int i = 0; i < Count; i++) packets[i] = new(m + i * Room + i, i * i % 1500, (ulong)i << 33);
            TransportAead.Seal(Key, packets);
            for (int i = 0; i < Count; i++)
            {
                int length = packets[i].Length;
                byte[] expected = before.AsSpan(i * Room, Room).ToArray();
                ChaCha20Poly1305.Seal(Key, packets[i].Counter, expected.AsSpan(i, length), default, expected.AsSpan(i, length + 16));
                Assert.Equal(expected, memory.AsSpan(i * Room, Room));
                packets[i].Length += 16;
            }
            memory[5 * Room + 5] ^= 1;
            packets[7].Length = 15;
            Assert.Equal(Count - 2, TransportAead.Open(Key, packets));
            for (int i = 0; i < Count; i++)
            {
                Assert.Equal(i is not 5 and not 7, packets[i].IsAuthentic);
                ReadOnlySpan<byte> plaintext = before.AsSpan(i * Room + i, i * i % 1500);
                ReadOnlySpan<byte> opened = memory.AsSpan(i * Room + i, i * i % 1500);
                if (i == 5) Assert.Equal(new byte[25], opened);
                else if (i != 7) Assert.Equal(plaintext, opened);
            }
        }
    }
}
