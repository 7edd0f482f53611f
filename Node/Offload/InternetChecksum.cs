using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Mesh.Node.Offload;

/// <summary>
/// The ones' complement sum of RFC 1071. Sums are kept unfolded and in memory order, so that partial sums simply add up, and
/// the folded result is written to memory as it is. Parts that are added must begin at even places of what they are parts of.
/// </summary>
internal static unsafe class InternetChecksum
{
    /// <summary>Adds up memory.</summary>
    public static ulong Sum(byte* data, int length) => Sum(data, null, length);

    /// <summary>Adds up memory while it is copied; the two don't overlap.</summary>
    public static ulong CopyAndSum(byte* source, byte* destination, int length) => Sum(source, destination, length);

    /// <summary>The 16 bits, in memory order, that a sum folds to; a checksum field holds their complement.</summary>
    public static ushort Fold(ulong sum)
    {
        sum = (sum & 0xffffffff) + (sum >> 32);
        sum = (sum & 0xffffffff) + (sum >> 32);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)sum;
    }

    /// <summary>A 16-bit number of host order, as it would count in a sum.</summary>
    public static ulong Of(int value) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((ushort)value);

    /// <summary>The part of the pseudo-header that does not change in a flow: addresses and protocol. The length is missing.</summary>
    public static ulong PseudoHeader(byte* packet, byte protocol) =>
        (packet[0] >> 4 == 4 ? Sum(packet + 12, 8) : Sum(packet + 8, 32)) + Of(protocol);

    /// <summary>Sums what is neither null nor odd at its start: vectors first, then what they leave.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Sum(byte* data, byte* copy, int length)
    {
        ulong sum = 0;
        if (length >= 64)
        {
            // Each 64-bit lane collects 32-bit numbers; 2^32 of them fit.
            var low = Vector256.Create(0xffffffffUL);
            Vector256<ulong> one = default, two = default;
            for (; length >= 64; length -= 64, data += 64)
            {
                Vector256<ulong> a = Vector256.Load((ulong*)data), b = Vector256.Load((ulong*)(data + 32));
                if (copy != null)
                {
                    a.Store((ulong*)copy);
                    b.Store((ulong*)(copy + 32));
                    copy += 64;
                }
                one += (a & low) + (b & low);
                two += Vector256.ShiftRightLogical(a, 32) + Vector256.ShiftRightLogical(b, 32);
            }
            sum = Vector256.Sum(one + two);
        }
        for (; length >= 4; length -= 4, data += 4)
        {
            uint word = Unsafe.ReadUnaligned<uint>(data);
            sum += word;
            if (copy != null)
            {
                Unsafe.WriteUnaligned(copy, word);
                copy += 4;
            }
        }
        if (length >= 2)
        {
            ushort word = Unsafe.ReadUnaligned<ushort>(data);
            sum += word;
            if (copy != null)
            {
                Unsafe.WriteUnaligned(copy, word);
                copy += 2;
            }
            data += 2;
        }
        if ((length & 1) != 0)
        {
            sum += *data;
            if (copy != null) *copy = *data;
        }
        return sum;
    }
}
