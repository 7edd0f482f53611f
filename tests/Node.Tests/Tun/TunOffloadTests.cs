using System.Net;
using System.Net.Sockets;
using Mesh.Node.Kernel;
using Mesh.Node.Offload;
using Mesh.Node.Routes;
using Mesh.Node.Tests.Offload;
using Mesh.Node.Tun;

namespace Mesh.Node.Tests.Tun;

/// <summary>Superpackets to and from this kernel.</summary>
public sealed unsafe class TunOffloadTests
{
    private static readonly IPAddress Own = IPAddress.Parse("100.64.0.1");
    private static readonly IPAddress Peer = IPAddress.Parse("100.64.0.2");

    [Fact]
    public void What_the_host_sends_in_one_call_comes_as_a_superpacket_and_can_be_cut() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = OpenUp();
        Assert.Equal(OffloadSet.Tun, tun.Offloads);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(Own, 1000));
        byte[] segment = BitConverter.GetBytes(100);
        socket.SetRawSocketOption(17, 103, segment); // UDP_SEGMENT
        socket.SendTo(new byte[950], new IPEndPoint(Peer, 2000));
        var (packet, header) = ReadUdp(tun);
        Assert.Equal(VirtioNetHeader.GsoUdp, header.GsoType);
        var cut = SegmenterTests.Cut(packet, header)!;
        Assert.Equal([.. Enumerable.Repeat(128, 9), 78], cut.Select(one => one.Length));
        Assert.All(cut, one => Assert.Equal(0, PlainOffload.ChecksumErrors(one, 20, 17)));
        Assert.Equal(PlainOffload.Cut(packet, 20, header), cut);
    });

    [Theory]
    [InlineData(950, 100)]
    [InlineData(2000, 10)] // more than the kernel takes in one
    public void Superpackets_that_are_written_arrive_as_their_datagrams(int payload, int segment) => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = OpenUp();
        using var coalescer = new Coalescer(tun);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(Own, 2000));
        socket.ReceiveTimeout = 10_000;
        var sample = SuperpacketSample.Make(new Random(1), isV4: true, isTcp: false, payload, segment, source: Peer.GetAddressBytes(), destination: Own.GetAddressBytes());
        byte[] memory = GC.AllocateUninitializedArray<byte>(70_000, pinned: true);
        var segments = sample.Segments;
        fixed (byte* m = memory)
        {
            int at = 0;
            foreach (byte[] one in segments)
            {
                (one[22], one[23]) = (2000 >> 8, 2000 & 255);
                (one[26], one[27]) = (0, 0);
                ushort checksum = PlainOffload.TransportChecksum(one, 20, 17);
                (one[26], one[27]) = ((byte)(checksum >> 8), (byte)checksum);
                one.CopyTo(memory, at);
                coalescer.Add(m + at, one.Length);
                at += one.Length;
            }
            coalescer.Flush();
        }
        Assert.Equal(0, coalescer.TakeRefused());
        Assert.Equal(OffloadSet.Tun, tun.Offloads); // it did take it as one
        byte[] room = new byte[2000];
        foreach (byte[] one in segments)
        {
            int length = socket.Receive(room);
            Assert.Equal(one[28..], room[..length]);
        }
    });

    [Theory]
    [InlineData(OffloadSet.None)]
    [InlineData(OffloadSet.TunTcpGro)]
    public void Without_wish_for_them_none_come(OffloadSet wished) => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = OpenUp(wished);
        Assert.Equal(wished, tun.Offloads);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(Own, 1000));
        socket.SetRawSocketOption(17, 103, BitConverter.GetBytes(100));
        socket.SendTo(new byte[300], new IPEndPoint(Peer, 2000));
        for (int i = 0; i < 3; i++)
        {
            var (packet, header) = ReadUdp(tun);
            Assert.Equal(default, header);
            Assert.Equal(128, packet.Length);
            Assert.Equal(0, PlainOffload.ChecksumErrors(packet, 20, 17));
        }
    });

    private static LinuxTunDevice OpenUp(OffloadSet offloads = OffloadSet.All)
    {
        LinuxTunDevice tun = LinuxTunDevice.Open("mesh0", 1420, offloads);
        using var client = new RouteClient();
        int index = client.FindLink(tun.Name)!.Index;
        client.SetUp(index, up: true);
        client.AddAddress(index, Own, 32);
        client.AddRoute(new DeviceRoute(IPNetwork.Parse("100.64.0.0/10"), index));
        return tun;
    }

    private static (byte[] Packet, VirtioNetHeader Header) ReadUdp(LinuxTunDevice tun)
    {
        using var poller = new Poller(1);
        poller.Watch(tun.PollFd);
        byte[] packet = new byte[65_535];
        while (true)
        {
            int length = tun.Read(packet, out VirtioNetHeader header);
            // The kernel's router solicitations and the like come between.
            if (length > 28 && packet[0] == 0x45 && packet[9] == 17) return (packet[..length], header);
            if (length == 0) Assert.True(poller.Wait(10_000), "no packet in 10 s");
        }
    }
}
