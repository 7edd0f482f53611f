using Mesh.Node.Offload;

namespace Mesh.Node.Tests.Offload;

public sealed unsafe class EcnTests
{
    private const int Drop = -1;

    // RFC 6040 section 4.2, figure 4: rows are inner, columns outer, both Not-ECT, ECT(1), ECT(0), CE by their numbers.
    private static readonly int[,] Combined = { { 0, 0, 0, Drop }, { 1, 1, 1, 3 }, { 2, 1, 2, 3 }, { 3, 3, 3, 3 } };

    [Fact]
    public void Marks_of_both_headers_are_combined_as_rfc_6040_says_and_the_checksum_stays_right()
    {
        var random = new Random(2);
        for (int i = 0; i < 2000; i++)
        {
            int inner = random.Next(4), outer = random.Next(4);
            bool isV4 = i % 2 == 0;
            byte[] packet = SuperpacketSample.Make(random, isV4, isTcp: true, payload: 10, segment: 5, ecn: (byte)inner).Packet;
            byte[] before = [.. packet];
            int expected = Combined[inner, outer];
            fixed (byte* p = packet)
            {
                Assert.Equal(inner, Ecn.Of(p));
                Assert.Equal(expected != Drop, Ecn.TryCombine(p, outer));
                if (expected != Drop) Assert.Equal(expected, Ecn.Of(p));
            }
            if (isV4) Assert.Equal(0, PlainOffload.Checksum(packet.AsSpan(0, 20)));
            Assert.Equal(before[0], packet[0]);
            Assert.True(before.AsSpan(12).SequenceEqual(packet.AsSpan(12)));
        }
    }
}
