using static Mesh.Node.Tests.Filter.FilterMaps;
using static Mesh.Node.Tests.Filter.PacketWriter;

namespace Mesh.Node.Tests.Filter;

public sealed class AllocationTests
{
    [Fact]
    public void Judging_packets_of_every_kind_allocates_nothing()
    {
        using var probe = new PacketProbe(
            Map([Rule([1], ports: [Port(22), Port(80, 90)]), Rule([], ports: [Port(443)], to: ["10.9.0.0/24"], from: ["10.7.0.0/16"])], [Rule([4])]), new ManualTime());
        byte[] began = TcpPacket(Us, V4(1), 5000, 22, Syn), datagram = UdpPacket(V6(1), Us6, 4000, 85, 200);
        var parts = Split(datagram, 7, 64);
        (ulong Peer, byte[] Packet)[] inbound =
        [
            (1, TcpPacket(V4(1), Us, 4000, 22, Ack)), (1, TcpPacket(V4(1), Us, 22, 5000, Ack)), (1, datagram), (1, parts[0]), (1, parts[1]),
            (3, TcpPacket(BehindThree, BehindSelf, 4000, 443, Syn)), (1, TooBig(V4(1), Us, began)), (2, TcpPacket(V4(2), Us, 4000, 22, Syn)),
            (1, WithExtensions(datagram, (0, new byte[6]), (60, new byte[6]))), (1, EchoRequest(V4(1), Us, 5)),
        ];
        byte[][] outbound = [began, UdpPacket(Us, V4(1), 5000, 53), TcpPacket(Us, V4(4), 5000, 22, Ack), EchoRequest(Us6, V6(1), 6)];
        int passed = 0, dropped = 0;
        long allocated = Allocation.Measure(10_000, _ =>
        {
            foreach (byte[] packet in outbound)
                if (probe.Send(packet) is null) passed++;
            foreach (var (peer, packet) in inbound)
                if (probe.Receive(peer, packet) is null) passed++;
                else dropped++;
        });
        Assert.Equal((11_000 * 13, 11_000), (passed, dropped));
        Assert.Equal(0, allocated);
    }
}
