namespace Mesh.Node.Tests.Device;

public sealed class PacketPathAllocationTests
{
    [Fact]
    public void A_packet_sealed_sent_received_opened_and_written_allocates_nothing()
    {
        using var lab = new DeviceLab();
        var (a, b) = lab.Connected();
        byte[] forth = LabNode.Packet(a.Inner, b.Inner, 1420, 1), back = LabNode.Packet(b.Inner, a.Inner, 60, 2);
        byte[] taken = new byte[2048];
        int delivered = 0;
        // The warm-up of 2,000 goes once round the in-memory TUN's ring of 1,024 buffers.
        long allocated = Allocation.Measure(20_000, _ =>
        {
            a.Tun.Inject(forth);
            b.Tun.Inject(back);
            a.Device.Queues[0].Outbound.Run();
            b.Device.Queues[0].Outbound.Run();
            a.Device.Queues[0].Inbound.Run();
            b.Device.Queues[0].Inbound.Run();
            if (a.Tun.TryTake(taken, out int _) & b.Tun.TryTake(taken, out int _)) delivered++;
        });
        Assert.Equal(22_000, delivered);
        Assert.Equal(0, allocated);
    }
}
