using Mesh.Node.Offload;

namespace Mesh.Node.Tests.Offload;

public sealed unsafe class InternetChecksumTests
{
    [Fact]
    public void Sums_of_every_length_and_alignment_are_the_rfcs_and_copies_are_exact()
    {
        var random = new Random(1);
        byte[] data = new byte[2100], copy = new byte[2100];
        for (int length = 0; length <= 2000; length++)
        {
            random.NextBytes(data);
            if (length % 7 == 0) data.AsSpan().Fill(0xff);
            int at = length % 33;
            fixed (byte* d = data, c = copy)
            {
                ushort expected = PlainOffload.Checksum(data.AsSpan(at, length));
                Assert.Equal(expected, Swap((ushort)~InternetChecksum.Fold(InternetChecksum.Sum(d + at, length))));
                copy.AsSpan().Fill(0xa5);
                Assert.Equal(expected, Swap((ushort)~InternetChecksum.Fold(InternetChecksum.CopyAndSum(d + at, c, length))));
            }
            Assert.True(copy.AsSpan(0, length).SequenceEqual(data.AsSpan(at, length)));
            Assert.Equal(-1, copy.AsSpan(length).IndexOfAnyExcept((byte)0xa5));
        }
    }

    private static ushort Swap(ushort value) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
}
