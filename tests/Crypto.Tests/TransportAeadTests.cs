using System.Runtime.InteropServices;
using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

public sealed unsafe class TransportAeadTests
{
    private static readonly byte[] Key = Counting(32, 0x80);

    /// <summary>RFC 8439 appendix A.1: the keystream's block 1 under keys and counters that can be had here (vectors 2, and 3 by its key).</summary>
    [Theory, MemberData(nameof(AeadModes.All), MemberType = typeof(AeadModes))]
    public void Keystream_is_that_of_Rfc8439(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        AssertHex("9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
            AeadModes.Seal(mode, new byte[32], 0, new byte[64]).AsSpan(0, 64));
        byte[] last = new byte[32];
        last[31] = 1;
        AssertHex("3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0",
            AeadModes.Seal(mode, last, 0, new byte[64]).AsSpan(0, 64));
    }

    [Theory, MemberData(nameof(AeadModes.All), MemberType = typeof(AeadModes))]
    public void A_batch_is_sealed_and_opened_as_its_packets_would_be_alone(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        const int Count = 70;
        const int Room = 2048;
        byte[] memory = new byte[Count * Room], before = new byte[Count * Room];
        new Random(1).NextBytes(memory);
        memory.CopyTo(before, 0);
        fixed (byte* m = memory)
        {
            var packets = new AeadPacket[Count];
            for (int i = 0; i < Count; i++) packets[i] = new(m + i * Room + i, i * i % 1500, (ulong)i << 33);
            TransportAead.Seal(mode, Key, packets);
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
            Assert.Equal(Count - 2, TransportAead.Open(mode, Key, packets));
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

    /// <summary>Alone, and in company of its like, which take other ways through the lanes.</summary>
    [Theory, MemberData(nameof(AeadModes.Vectors), MemberType = typeof(AeadModes))]
    public void Every_length_up_to_2048_is_sealed_and_opened_as_the_library_does(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        using var check = new AeadComparison(mode, seed: 8439, capacity: 9);
        for (int length = 0; length <= 2048; length++)
        {
            check.Run([length]);
            check.Run([.. Enumerable.Repeat(length, 2 + length % 8)]);
        }
    }

    [Theory, MemberData(nameof(AeadModes.Vectors), MemberType = typeof(AeadModes))]
    public void Batches_of_mixed_lengths_are_sealed_and_opened_as_the_library_does(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        int seed = Random.Shared.Next();
        using var check = new AeadComparison(mode, seed, capacity: 64);
        for (int round = 0; round < 400; round++) check.RunRandom();
    }

    /// <summary>The long form of the two above: ten million messages of every length, in about a minute.</summary>
    [Theory(Explicit = true), MemberData(nameof(AeadModes.Vectors), MemberType = typeof(AeadModes))]
    public void Ten_million_messages_are_sealed_and_opened_as_the_library_does(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        int seed = Random.Shared.Next();
        long wanted = mode == AeadImplementation.Vector512 && !System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated ? 1_000_000 : 10_000_000;
        using var check = new AeadComparison(mode, seed, capacity: 64);
        for (int length = 0; check.Messages < wanted; length++)
        {
            check.RunRandom();
            check.Run([length % 2049]);
            check.Run([.. Enumerable.Repeat(length % 2049, 1 + length % 16)]);
        }
        TestContext.Current.SendDiagnosticMessage($"{mode}: {check.Messages} messages, seed {seed}");
    }

    [Theory, MemberData(nameof(AeadModes.All), MemberType = typeof(AeadModes))]
    public void Any_changed_bit_is_refused_whichever_the_place_in_a_batch(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        const int Count = 11;
        const int Room = 128;
        byte[] memory = new byte[Count * Room], sealedMemory = new byte[Count * Room];
        fixed (byte* m = memory)
        {
            var packets = new AeadPacket[Count];
            for (int i = 0; i < Count; i++) packets[i] = new(m + i * Room, 40 + 5 * i, (ulong)i);
            TransportAead.Seal(mode, Key, packets);
            memory.CopyTo(sealedMemory, 0);
            for (int i = 0; i < Count; i++) packets[i].Length += 16;
            for (int forged = 0; forged < Count; forged++)
            {
                for (int bit = 0; bit < packets[forged].Length * 8; bit++)
                {
                    sealedMemory.CopyTo(memory, 0);
                    memory[forged * Room + bit / 8] ^= (byte)(1 << (bit % 8));
                    Assert.Equal(Count - 1, TransportAead.Open(mode, Key, packets));
                    for (int i = 0; i < Count; i++) Assert.Equal(i != forged, packets[i].IsAuthentic);
                    Assert.Equal(-1, memory.AsSpan(forged * Room, packets[forged].Length - 16).IndexOfAnyExcept((byte)0));
                }
            }
        }
    }

    [Theory, MemberData(nameof(AeadModes.All), MemberType = typeof(AeadModes))]
    public void What_was_sealed_under_another_key_or_counter_is_refused(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        foreach (int length in new[] { 0, 1, 64, 513, 1420 })
        {
            byte[] sealedText = AeadModes.Seal(mode, Key, 7, Counting(length));
            Assert.Equal(Counting(length), AeadModes.Open(mode, Key, 7, sealedText));
            Assert.Null(AeadModes.Open(mode, Key, 8, sealedText));
            Assert.Null(AeadModes.Open(mode, Key, 7ul << 32, sealedText));
            Assert.Null(AeadModes.Open(mode, Counting(32), 7, sealedText));
        }
    }

    /// <summary>Packets that end where memory ends, and that begin where it begins, from one place to another and in place.</summary>
    [Theory, MemberData(nameof(AeadModes.All), MemberType = typeof(AeadModes))]
    public void Nothing_beyond_a_packet_is_read_or_written(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        using GuardedMemory source = new(1), destination = new(1);
        foreach (int length in Enumerable.Range(0, 600).Concat([1024, 1419, 1420, 1421, 2048]))
        {
            byte[] expected = AeadModes.Seal(AeadImplementation.Library, Key, 3, Counting(length));
            foreach (bool atEnd in new[] { false, true })
            {
                byte* s = atEnd ? source.End - length : source.First;
                byte* d = atEnd ? destination.End - length - 16 : destination.First;
                Counting(length).CopyTo(new Span<byte>(s, length));
                TransportAead.Seal(mode, Key, [new AeadPacket(s, d, length, 3)]);
                Assert.Equal(expected, new Span<byte>(d, length + 16));

                byte* opened = atEnd ? source.End - length : source.First;
                new Span<byte>(opened, length).Clear();
                AeadPacket[] packets = [new AeadPacket(d, opened, length + 16, 3)];
                Assert.Equal(1, TransportAead.Open(mode, Key, packets));
                Assert.Equal(Counting(length), new Span<byte>(opened, length));

                byte* inPlace = atEnd ? source.End - length - 16 : source.First;
                Counting(length).CopyTo(new Span<byte>(inPlace, length));
                TransportAead.Seal(mode, Key, [new AeadPacket(inPlace, length, 3)]);
                Assert.Equal(expected, new Span<byte>(inPlace, length + 16));
            }
        }
    }

    /// <summary>The longest packet that a datagram could carry, and its counter at both ends.</summary>
    [Theory, MemberData(nameof(AeadModes.All), MemberType = typeof(AeadModes))]
    public void The_longest_packets_and_the_last_counters_are_nothing_special(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        foreach (ulong counter in new[] { 0ul, uint.MaxValue, 1ul << 32, ulong.MaxValue })
        {
            byte[] text = Counting(65_519), sealedText = AeadModes.Seal(mode, Key, counter, text);
            Assert.Equal(AeadModes.Seal(AeadImplementation.Library, Key, counter, text), sealedText);
            Assert.Equal(text, AeadModes.Open(mode, Key, counter, sealedText));
        }
    }

    [Fact]
    public void An_empty_batch_is_done_at_once_and_mistakes_are_the_callers()
    {
        foreach (AeadImplementation mode in Enum.GetValues<AeadImplementation>())
        {
            if (mode != AeadImplementation.Library && !System.Runtime.Intrinsics.X86.Avx2.IsSupported) continue;
            TransportAead.Seal(mode, Key, default);
            Assert.Equal(0, TransportAead.Open(mode, Key, default));
            Assert.Throws<ArgumentException>(() => TransportAead.Seal(mode, new byte[31], default));
            Assert.Throws<ArgumentException>(() => TransportAead.Open(mode, new byte[33], default));
            Assert.Throws<ArgumentException>(() => TransportAead.Seal(mode, Key, [new AeadPacket(null, -1, 0)]));
        }
    }
}
