using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Mesh.Crypto.Vectors;

/// <summary>
/// <see cref="TransportAead"/> in vectors. As all packets of a call have one key, blocks of any of them fill a cipher kernel's
/// lanes; and messages of about one length go through the tags' kernel side by side. A group of packets is taken through both
/// while it is in the cache.
/// </summary>
internal static unsafe class VectorAead<TCipher, TCipherOps, TMac, TMacOps>
    where TCipher : unmanaged
    where TCipherOps : ICipherVector<TCipher>
    where TMac : unmanaged
    where TMacOps : IMacVector<TMac>
{
    private const int BlockLength = 64;
    private const int TagLength = TransportAead.TagLength;
    private const int Alignment = 64;

    /// <summary>
    /// A group ends with the packet that brings it to as many cipher blocks, 6 KB or 12, if not by its number of packets: with a full
    /// packet for each lane of the tag kernel.
    /// </summary>
    private static int GroupBlocks => 23 * TMacOps.Lanes;

    /// <summary>
    /// Steps of the tag kernel that spreading one message over its lanes costs beside its own, by which that is weighed against
    /// running messages of different lengths side by side.
    /// </summary>
    private const int SpreadingSteps = 8;

    private static int MacLength => Poly1305Kernel<TMac, TMacOps>.WorkVectors * sizeof(TMac);

    [SkipLocalsInit]
    public static void Seal(ReadOnlySpan<byte> key, ReadOnlySpan<AeadPacket> packets)
    {
        byte* memory = stackalloc byte[sizeof(VectorWork) + Alignment];
        var work = (VectorWork*)(((nuint)memory + Alignment - 1) & ~(nuint)(Alignment - 1));
        int most = 0;
        fixed (byte* k = key)
        fixed (AeadPacket* first = packets)
        {
            VectorWork.Start(work);
            ChaChaKernel<TCipher, TCipherOps>.Expand(k, (TCipher*)VectorWork.Cipher(work));
            var queue = new CipherQueue<TCipher, TCipherOps>(work);
            AeadPacket* end = first + packets.Length;
            for (AeadPacket* group = first, next; group < end; group = next)
            {
                next = EndOfGroup(group, end);
                most = Math.Max(most, (int)(next - group));
                for (AeadPacket* packet = group; packet < next; packet++)
                {
                    queue.AddBlock(0, packet->Counter, VectorWork.Nothing(work), VectorWork.MacKey(work, packet - group));
                    queue.Add(1, packet->Counter, packet->Source, packet->Destination, packet->Length);
                }
                queue.Flush();
                Authenticate(work, group, next, sealing: true);
            }
        }
        VectorWork.ClearSecrets(work, TCipherOps.Lanes, most, MacLength);
    }

    [SkipLocalsInit]
    public static int Open(ReadOnlySpan<byte> key, Span<AeadPacket> packets)
    {
        byte* memory = stackalloc byte[sizeof(VectorWork) + Alignment];
        var work = (VectorWork*)(((nuint)memory + Alignment - 1) & ~(nuint)(Alignment - 1));
        int most = 0, authentic = 0;
        fixed (byte* k = key)
        fixed (AeadPacket* first = packets)
        {
            VectorWork.Start(work);
            ChaChaKernel<TCipher, TCipherOps>.Expand(k, (TCipher*)VectorWork.Cipher(work));
            var queue = new CipherQueue<TCipher, TCipherOps>(work);
            AeadPacket* end = first + packets.Length;
            for (AeadPacket* group = first, next; group < end; group = next)
            {
                next = EndOfGroup(group, end);
                most = Math.Max(most, (int)(next - group));
                for (AeadPacket* packet = group; packet < next; packet++)
                    queue.AddBlock(0, packet->Counter, VectorWork.Nothing(work), VectorWork.MacKey(work, packet - group));
                int early = AddEarly(work, ref queue, group, next);
                queue.Flush();
                Authenticate(work, group, next, sealing: false);
                authentic += Decrypt(work, ref queue, group, next, early);
            }
        }
        VectorWork.ClearSecrets(work, TCipherOps.Lanes, most, MacLength);
        return authentic;
    }

    private static AeadPacket* EndOfGroup(AeadPacket* packet, AeadPacket* end)
    {
        AeadPacket* limit = end - packet > VectorWork.MaxPackets ? packet + VectorWork.MaxPackets : end;
        int blocks = 0;
        while (packet < limit && blocks < GroupBlocks) blocks += packet++->Length / BlockLength + 2;
        return packet;
    }

    /// <summary>
    /// Fills the lanes that the one-time keys leave empty with keystream of the group's first blocks of text.
    /// </summary>
    /// <returns>How many blocks.</returns>
    private static int AddEarly(VectorWork* work, ref CipherQueue<TCipher, TCipherOps> queue, AeadPacket* group, AeadPacket* end)
    {
        int early = 0;
        for (AeadPacket* packet = group; packet < end; packet++)
        {
            uint blocks = TextBlocks(packet->Length);
            for (uint block = 1; block <= blocks; block++)
            {
                if (queue.Spare == 0) return early;
                queue.AddBlock(block, packet->Counter, VectorWork.Nothing(work), VectorWork.Early(work, early++));
            }
        }
        return early;
    }

    private static uint TextBlocks(int sealedLength) => (uint)Math.Max(0, sealedLength - TagLength + BlockLength - 1) / BlockLength;

    /// <summary>Decrypts what is authentic, and writes zeroes for what is not.</summary>
    private static int Decrypt(VectorWork* work, ref CipherQueue<TCipher, TCipherOps> queue, AeadPacket* group, AeadPacket* end, int early)
    {
        int authentic = 0, used = 0;
        for (AeadPacket* packet = group; packet < end; packet++)
        {
            int length = Math.Max(0, packet->Length - TagLength);
            byte* source = packet->Source, destination = packet->Destination;
            int ready = Math.Min(early - used, (int)TextBlocks(packet->Length));
            byte* keystream = VectorWork.Early(work, used);
            used += ready;
            if (!packet->IsAuthentic)
            {
                new Span<byte>(destination, length).Clear();
                continue;
            }
            authentic++;
            int readyLength = Math.Min(ready * BlockLength, length);
            Mix(source, keystream, destination, readyLength);
            queue.Add((uint)(ready + 1), packet->Counter, source + readyLength, destination + readyLength, length - readyLength);
        }
        queue.Flush();
        return authentic;
    }

    private static void Mix(byte* source, byte* keystream, byte* destination, int length)
    {
        int i = 0;
        for (; i <= length - 32; i += 32) (Vector256.Load(source + i) ^ Vector256.Load(keystream + i)).Store(destination + i);
        for (; i < length; i++) destination[i] = (byte)(source[i] ^ keystream[i]);
    }

    private static void Authenticate(VectorWork* work, AeadPacket* group, AeadPacket* end, bool sealing)
    {
        for (AeadPacket* packet = group; packet < end;)
        {
            int count = (int)Math.Min(end - packet, TMacOps.Lanes);
            int longest = 0, total = 0;
            for (int lane = 0; lane < TMacOps.Lanes; lane++)
            {
                // Where there are fewer packets than lanes, the first one has company in itself.
                int chosen = lane < count ? lane : 0;
                byte* tag = VectorWork.Tag(work, lane);
                int length = SetLane(work, lane, packet + chosen, packet + chosen - group, tag, sealing && lane < count, sealing);
                int steps = length / TagLength + 2;
                longest = Math.Max(longest, steps);
                if (lane < count) total += steps;
            }
            var vectors = (TMac*)VectorWork.MacVectors(work);
            if (longest <= total / TMacOps.Lanes + count * SpreadingSteps) Poly1305Kernel<TMac, TMacOps>.Across(vectors, &work->Mac);
            else
            {
                for (int i = 0; i < count; i++)
                {
                    SetLane(work, 0, packet + i, packet + i - group, VectorWork.Tag(work, i), sealing, sealing);
                    Poly1305Kernel<TMac, TMacOps>.Along(vectors, &work->Mac);
                }
            }
            if (!sealing)
                for (int i = 0; i < count; i++) packet[i].IsAuthentic = Holds(packet + i, VectorWork.Tag(work, i));
            packet += count;
        }
    }

    private static int SetLane(VectorWork* work, int lane, AeadPacket* packet, long index, byte* tag, bool tagInPlace, bool sealing)
    {
        int length = sealing ? packet->Length : Math.Max(0, packet->Length - TagLength);
        work->Mac.Keys[lane] = VectorWork.MacKey(work, index);
        work->Mac.Messages[lane] = sealing ? packet->Destination : packet->Source;
        work->Mac.Lengths[lane] = length;
        work->Mac.Tags[lane] = tagInPlace ? packet->Destination + length : tag;
        return length;
    }

    /// <summary>Compares all bytes in any case; only the outcome decides what happens next.</summary>
    private static bool Holds(AeadPacket* packet, byte* expected)
    {
        if (packet->Length < TagLength) return false;
        var tag = (ulong*)(packet->Source + packet->Length - TagLength);
        return ((tag[0] ^ ((ulong*)expected)[0]) | (tag[1] ^ ((ulong*)expected)[1])) == 0;
    }
}
