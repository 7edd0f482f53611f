using Mesh.Node.Device;

namespace Mesh.Node.Tests.Device;

public sealed class PacketFilterHookTests
{
    [Fact]
    public void What_the_filter_refuses_on_the_way_in_is_counted_and_reaches_no_host()
    {
        using var lab = new DeviceLab();
        var (a, b) = lab.Pair();
        var filter = new OneVerdict { Inbound = DropReason.PolicyDenied };
        b.Device.Filter = filter;
        a.Send(b);
        lab.Settle();
        Assert.Null(b.Receive());
        Assert.Equal(1, b.Device.Drops[DropReason.PolicyDenied]);
        filter.Inbound = null;
        byte[] packet = a.Send(b, length: 61);
        lab.Settle();
        Assert.Equal(packet, b.Receive());
        Assert.Equal([(1UL, 100), (1UL, 61)], filter.SeenInbound);
    }

    [Fact]
    public void What_the_filter_refuses_on_the_way_out_is_counted_and_starts_no_handshake()
    {
        using var lab = new DeviceLab();
        var (a, b) = lab.Pair();
        var filter = new OneVerdict { Outbound = DropReason.PolicyEgress };
        a.Device.Filter = filter;
        a.Send(b);
        lab.Settle();
        Assert.Equal(1, a.Device.Drops[DropReason.PolicyEgress]);
        Assert.False(a.PeerOf(b).HasSession);
        filter.Outbound = null;
        byte[] packet = a.Send(b);
        lab.Settle();
        Assert.Equal(packet, b.Receive());
    }

    [Fact]
    public void A_packet_from_an_address_that_is_not_the_peers_never_comes_before_the_filter()
    {
        using var lab = new DeviceLab();
        var (a, b) = lab.Pair();
        var filter = new OneVerdict();
        b.Device.Filter = filter;
        a.Send(b, source: new System.Net.IPAddress([10, 9, 9, 9]));
        lab.Settle();
        Assert.Equal(1, b.Device.Drops[DropReason.InnerSource]);
        Assert.Empty(filter.SeenInbound);
    }

    private sealed class OneVerdict : IPacketFilter
    {
        public DropReason? Inbound { get; set; }

        public DropReason? Outbound { get; set; }

        public List<(ulong Peer, int Length)> SeenInbound { get; } = [];

        public DropReason? JudgeInbound(int queue, Peer peer, ReadOnlySpan<byte> packet, long now)
        {
            SeenInbound.Add((peer.Id, packet.Length));
            return Inbound;
        }

        public DropReason? JudgeOutbound(Peer peer, ReadOnlySpan<byte> packet, long now) => Outbound;
    }
}
