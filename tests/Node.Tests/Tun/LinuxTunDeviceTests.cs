using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Mesh.Node.Kernel;
using Mesh.Node.Routes;
using Mesh.Node.Tests.Filter;
using Mesh.Node.Tests.Offload;
using Mesh.Node.Tun;

namespace Mesh.Node.Tests.Tun;

public class LinuxTunDeviceTests
{
    private static readonly IPAddress Own = IPAddress.Parse("100.64.0.1");
    private static readonly IPAddress Peer = IPAddress.Parse("100.64.0.2");

    [Fact]
    public void What_the_host_sends_is_read_and_what_is_written_the_host_receives() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = OpenUp("mesh0");
        using var poller = new Poller(1);
        poller.Watch(tun.PollFd);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(Own, 1000));
        byte[] packet = new byte[2048];

        socket.SendTo("ping"u8, new IPEndPoint(Peer, 2000));
        int length = ReadUdp(tun, poller, packet);
        Assert.Equal("ping"u8, packet.AsSpan(28, length - 28));

        // Turned round: swapping addresses and ports leaves the checksums right.
        (byte[] source, byte[] destination) = (packet[12..16], packet[16..20]);
        (byte[] from, byte[] to) = (packet[20..22], packet[22..24]);
        destination.CopyTo(packet, 12);
        source.CopyTo(packet, 16);
        to.CopyTo(packet, 20);
        from.CopyTo(packet, 22);
        Assert.True(tun.Write(packet.AsSpan(0, length)));

        EndPoint sender = new IPEndPoint(IPAddress.Any, 0);
        socket.ReceiveTimeout = 10_000;
        byte[] answer = new byte[16];
        Assert.Equal(4, socket.ReceiveFrom(answer, ref sender));
        Assert.Equal(new IPEndPoint(Peer, 2000), sender);
        Assert.Equal("ping"u8, answer.AsSpan(0, 4));
    });

    [Fact]
    public void The_name_and_mtu_are_the_kernels() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice first = LinuxTunDevice.Open("mesh%d");
        using LinuxTunDevice second = LinuxTunDevice.Open("mesh%d", 1280);

        Assert.Equal(("mesh0", 1500), (first.Name, first.Mtu));
        Assert.Equal(("mesh1", 1280), (second.Name, second.Mtu));
        second.SetMtu(65000);
        using var client = new RouteClient();
        Assert.Equal(65000, client.FindLink("mesh1")!.Mtu);
        Assert.Throws<TunException>(() => second.SetMtu(1));
    });

    [Fact]
    public void A_name_in_use_is_told_apart_from_an_impossible_one() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = LinuxTunDevice.Open("mesh0");

        TunException held = Assert.Throws<TunException>(() => LinuxTunDevice.Open("mesh0"));
        TunException other = Assert.Throws<TunException>(() => LinuxTunDevice.Open("lo"));

        Assert.Equal((TunFailure.NameInUse, Errno.EBUSY), (held.Failure, held.Errno));
        Assert.Contains("choose another name", held.Message, StringComparison.Ordinal);
        Assert.Equal(TunFailure.NameInUse, other.Failure);
        foreach (string name in (string[])["", "sixteen-bytes-xx", "a/b", "a b", ".", "a:1"])
            Assert.Equal(TunFailure.InvalidName, Assert.Throws<TunException>(() => LinuxTunDevice.Open(name)).Failure);
    });

    [Fact]
    public void Without_rights_it_says_what_it_needs() => NetworkNamespace.RunWithTun(() =>
    {
        DropNetAdmin();

        TunException e = Assert.Throws<TunException>(() => LinuxTunDevice.Open("mesh0"));

        Assert.Equal(TunFailure.NotPermitted, e.Failure);
        Assert.Contains("root or CAP_NET_ADMIN", e.Message, StringComparison.Ordinal);
    });

    [Fact]
    public void A_closed_device_leaves_no_interface() => NetworkNamespace.RunWithTun(() =>
    {
        using var client = new RouteClient();
        LinuxTunDevice.Open("mesh0").Dispose();

        Assert.Null(client.FindLink("mesh0"));
    });

    [Fact]
    public void A_deleted_interface_wakes_its_reader_and_is_gone() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = OpenUp("mesh0");
        using var poller = new Poller(1);
        int slot = poller.Watch(tun.PollFd);
        Delete("mesh0");

        Assert.True(poller.Wait(10_000));
        Assert.True(poller.IsReady(slot));
        Assert.Equal(TunFailure.Gone, Assert.Throws<TunException>(() => Drain(tun)).Failure);
        Assert.Equal(TunFailure.Gone, Assert.Throws<TunException>(() => tun.Write(new byte[20])).Failure);
    });

    [Fact]
    public void What_the_kernel_refuses_is_dropped_without_an_exception() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = OpenUp("mesh0");
        byte[] packet = new byte[20];
        packet[0] = 0x45;

        Assert.True(tun.Write(packet));
        Assert.False(tun.Write(new byte[20]));
        Assert.False(tun.Write([]));
        using var client = new RouteClient();
        client.SetUp(client.FindLink("mesh0")!.Index, up: false);
        Assert.False(tun.Write(packet));
    });

    [Fact]
    public void Reading_and_writing_allocate_nothing() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = OpenUp("mesh0");
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(new IPEndPoint(Peer, 2000));
        byte[] packet = new byte[2048];
        int read = 0;

        long allocated = Allocation.Measure(10_000, _ =>
        {
            socket.Send("ping"u8);
            int length = tun.Read(packet);
            read += length > 0 ? 1 : 0;
            tun.Write(packet.AsSpan(0, Math.Max(length, 20)));
        });

        Assert.Equal(0, allocated);
        Assert.InRange(read, 10_000, 11_000);
    });

    [Fact]
    public void The_hosts_flows_are_spread_over_all_queues_and_each_stays_on_its_own() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = OpenUp("mesh0", queues: 4);
        byte[] packet = new byte[2048];
        Socket[] senders = [.. Enumerable.Range(0, 64).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))];
        var seen = new QueuesOfPorts();
        for (int round = 0; round < 3; round++)
            foreach (Socket sender in senders) sender.SendTo("ping"u8, new IPEndPoint(Peer, 2000));
        foreach (Socket sender in senders) sender.Dispose();
        for (int queue = 0; queue < 4; queue++)
        {
            while (tun.Queues[queue].Read(packet, out _) is var length and > 0)
            {
                if (length == 32 && packet[9] == 17) seen.Note(packet[20] << 8 | packet[21], queue);
            }
        }

        Assert.Equal(4, tun.Queues.Count);
        seen.AssertSpread(senders.Length, queues: 4);
    });

    [Fact]
    public void A_flows_packets_are_read_where_its_answers_are_written() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = OpenUp("mesh0", queues: 3);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(Own, 1000));
        byte[] packet = new byte[2048];
        byte[] answer = PacketWriter.UdpPacket(Peer, Own, 2000, 1000);
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(10), PlainOffload.Checksum(answer.AsSpan(0, 20)));
        foreach (int queue in (int[])[2, 0, 1])
        {
            Assert.True(tun.Queues[queue].Write(answer));
            socket.SendTo("ping"u8, new IPEndPoint(Peer, 2000));
            foreach (int other in Enumerable.Range(0, 3).Where(other => other != queue)) Assert.Equal(0, ReadPing(tun.Queues[other], packet));
            Assert.Equal(32, ReadPing(tun.Queues[queue], packet));
        }
    });

    [Fact]
    public void An_interface_of_several_queues_that_somebody_holds_is_in_use() => NetworkNamespace.RunWithTun(() =>
    {
        using LinuxTunDevice tun = LinuxTunDevice.Open("mesh0", queues: 2);

        foreach (int queues in (int[])[1, 2])
            Assert.Equal(TunFailure.NameInUse, Assert.Throws<TunException>(() => LinuxTunDevice.Open("mesh0", queues: queues)).Failure);
        Assert.Equal(TunFailure.NameInUse, Assert.Throws<TunException>(() => LinuxTunDevice.Open("lo", queues: 2)).Failure);
        using var client = new RouteClient();
        Assert.Equal(2, client.FindLink("mesh0")!.TunQueues);
    });

    [Theory]
    [InlineData(true, 3)]
    [InlineData(false, 1)]
    public void A_persistent_interface_has_the_queues_that_it_was_made_for(bool madeForSeveral, int queues) => NetworkNamespace.RunWithTun(() =>
    {
        using (LinuxTunDevice maker = LinuxTunDevice.Open("mesh0", queues: madeForSeveral ? 2 : 1)) Persist(maker.PollFd);
        using var client = new RouteClient();
        Assert.NotNull(client.FindLink("mesh0"));

        using LinuxTunDevice tun = LinuxTunDevice.Open("mesh0", 1300, queues: 3);

        Assert.Equal((queues, 1300), (tun.Queues.Count, client.FindLink("mesh0")!.Mtu));
    });

    [Fact]
    public void A_deleted_interface_is_gone_for_every_queue_and_a_closed_device_leaves_none() => NetworkNamespace.RunWithTun(() =>
    {
        using var client = new RouteClient();
        LinuxTunDevice.Open("mesh0", queues: 3).Dispose();
        Assert.Null(client.FindLink("mesh0"));

        using LinuxTunDevice tun = OpenUp("mesh0", queues: 3);
        Delete("mesh0");

        foreach (ITunQueue queue in tun.Queues)
        {
            using var poller = new Poller(1);
            poller.Watch(queue.PollFd);
            Assert.True(poller.Wait(10_000));
            Assert.Equal(TunFailure.Gone, Assert.Throws<TunException>(() => Drain(queue)).Failure);
            Assert.Equal(TunFailure.Gone, Assert.Throws<TunException>(() => queue.Write(new byte[20])).Failure);
        }
    });

    internal static LinuxTunDevice OpenUp(string name, int queues = 1)
    {
        LinuxTunDevice tun = LinuxTunDevice.Open(name, 1420, queues: queues);
        using var client = new RouteClient();
        int index = client.FindLink(tun.Name)!.Index;
        client.SetUp(index, up: true);
        client.AddAddress(index, Own, 32);
        client.AddRoute(new DeviceRoute(IPNetwork.Parse("100.64.0.0/10"), index));
        return tun;
    }

    internal static void Delete(string name)
    {
        using var socket = new NetlinkSocket();
        using var client = new RouteClient();
        var header = new LinkHeader { Index = client.FindLink(name)!.Index };
        socket.Request(
            NetlinkMessage.Create(NetlinkType.DeleteLink, NetlinkFlags.None, header), $"delete the link {name}");
    }

    private static unsafe void Persist(int fd) => Assert.Equal(0, Libc.ioctl(fd, 0x400454cb, (void*)1));

    /// <summary>Reads the queue to its end.</summary>
    /// <returns>The length of the datagram among what it held; 0 for none.</returns>
    private static int ReadPing(ITunQueue queue, byte[] packet)
    {
        int found = 0;
        while (queue.Read(packet, out _) is var length and > 0)
            if (packet[9] == 17 && packet[0] == 0x45) found = length;
        return found;
    }

    private static void Drain(ITunQueue tun)
    {
        byte[] packet = new byte[2048];
        while (tun.Read(packet) > 0)
        {
        }
    }

    private static int ReadUdp(LinuxTunDevice tun, Poller poller, byte[] packet)
    {
        while (true)
        {
            Assert.True(poller.Wait(10_000), "no packet in 10 s");
            int length = tun.Read(packet);
            // The kernel's router solicitations and the like come between.
            if (length > 28 && packet[0] == 0x45 && packet[9] == 17)
                return length;
        }
    }

    private static unsafe void DropNetAdmin()
    {
        // capset(2), version 3: this thread keeps everything but CAP_NET_ADMIN (12) in its effective set.
        Span<uint> header = [0x20080522, 0];
        Span<uint> sets = stackalloc uint[6];
        fixed (uint* h = header, s = sets)
        {
            Assert.Equal(0, capget(h, s));
            sets[0] &= ~(1u << 12);
            Assert.Equal(0, capset(h, s));
        }
    }

    [System.Runtime.InteropServices.DllImport("libc")]
    private static extern unsafe int capget(uint* header, uint* sets);

    [System.Runtime.InteropServices.DllImport("libc")]
    private static extern unsafe int capset(uint* header, uint* sets);
}
