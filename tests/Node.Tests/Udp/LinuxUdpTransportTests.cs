using System.Net;
using System.Net.Sockets;
using Mesh.Node.Kernel;
using Mesh.Node.Routes;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Udp;

public class LinuxUdpTransportTests
{
    private static readonly byte[] Hello = "hello"u8.ToArray();

    [Fact]
    public void Port_zero_is_one_port_in_both_families()
    {
        using LinuxUdpTransport transport = LinuxUdpTransport.Open(0);

        Assert.InRange(transport.Port, 1, 65535);
        Assert.Equal(UdpSendResult.Sent, transport.Send(Hello, Loopback4(transport)));
        Assert.Equal(UdpSendResult.Sent, transport.Send(Hello, Loopback6(transport)));
    }

    [Fact]
    public void A_taken_port_is_said_to_be_in_use()
    {
        using LinuxUdpTransport first = LinuxUdpTransport.Open(0);

        UdpException e = Assert.Throws<UdpException>(() => LinuxUdpTransport.Open(first.Port));

        Assert.True(e.IsPortInUse);
        Assert.Contains($"cannot listen on IPv4 UDP port {first.Port}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_port_taken_in_one_family_only_is_in_use_and_leaves_nothing_bound()
    {
        using var occupant = new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
        occupant.DualMode = false;
        occupant.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        int port = ((IPEndPoint)occupant.LocalEndPoint!).Port;

        Assert.True(Assert.Throws<UdpException>(() => LinuxUdpTransport.Open(port)).IsPortInUse);

        using var free = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        free.Bind(new IPEndPoint(IPAddress.Any, port));
    }

    [Fact]
    public void A_host_with_IPv6_switched_off_still_has_IPv4() => NetworkNamespace.Run(() =>
    {
        File.WriteAllText("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
        using var client = new RouteClient();
        client.SetUp(1, up: true);
        using LinuxUdpTransport transport = LinuxUdpTransport.Open(0);

        Assert.Equal(UdpSendResult.Sent, transport.Send(Hello, Loopback4(transport)));
        Assert.Equal(UdpSendResult.Unreachable, transport.Send(Hello, Loopback6(transport)));
    });

    [Fact]
    public void A_source_address_that_has_disappeared_is_let_go() => NetworkNamespace.Run(() =>
    {
        using var client = new RouteClient();
        client.SetUp(1, up: true);
        client.AddAddress(1, IPAddress.Parse("192.0.2.1"), 32);
        client.AddAddress(1, IPAddress.Parse("192.0.2.2"), 32);
        using LinuxUdpTransport a = LinuxUdpTransport.Open(0);
        using LinuxUdpTransport b = LinuxUdpTransport.Open(0);
        using var batch = new UdpReceiveBatch(1, 64);
        a.Send(Hello, UdpEndpoint.Parse($"192.0.2.1:{b.Port}"));
        Receive(b, batch);
        UdpEndpoint answer = batch.Endpoint(0).WithSource(0, 0xc0000202, 1);

        Assert.Equal(UdpSendResult.Sent, b.Send(Hello, answer));
        Receive(a, batch);
        Assert.Equal($"192.0.2.2:{b.Port}", batch.Endpoint(0).ToString());
        client.RemoveAddress(1, IPAddress.Parse("192.0.2.2"), 32);
        Assert.Equal(UdpSendResult.SentWithoutSource, b.Send(Hello, answer));
        Receive(a, batch);
        Assert.Equal($"192.0.2.1:{b.Port}", batch.Endpoint(0).ToString());
    });

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("127.1.2.3", "127.1.2.3")]
    [InlineData("::1", "::1")]
    public void A_datagram_brings_its_sender_and_the_address_it_was_sent_to(string address, string source)
    {
        using LinuxUdpTransport sender = LinuxUdpTransport.Open(0);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0);
        using var batch = new UdpReceiveBatch(4, 2048);

        Assert.Equal(UdpSendResult.Sent, sender.Send(Hello, UdpEndpoint.From(IPAddress.Parse(address), receiver.Port)));
        Receive(receiver, batch);

        Assert.Equal(1, batch.Count);
        Assert.Equal(Hello, batch.Datagram(0).ToArray());
        Assert.Equal(sender.Port, batch.Endpoint(0).Port);
        Assert.Equal(IPAddress.Parse(source), batch.Endpoint(0).ToSourceAddress());
        Assert.Equal(1, batch.Endpoint(0).SourceInterface);
    }

    [Fact]
    public void An_answer_leaves_from_the_address_that_was_asked()
    {
        using LinuxUdpTransport client = LinuxUdpTransport.Open(0);
        using LinuxUdpTransport server = LinuxUdpTransport.Open(0);
        using var batch = new UdpReceiveBatch(4, 2048);
        UdpEndpoint asked = UdpEndpoint.From(IPAddress.Parse("127.9.9.9"), server.Port);
        client.Send(Hello, asked);
        Receive(server, batch);

        Assert.Equal(UdpSendResult.Sent, server.Send(Hello, batch.Endpoint(0)));
        Receive(client, batch);

        Assert.Equal(asked, batch.Endpoint(0));
    }

    [Theory]
    [InlineData("127.0.0.1", 0, 0xc6336401)]
    [InlineData("::1", 0x20010db800000000, 1)]
    public void A_source_that_is_not_ours_is_dropped_and_the_datagram_sent(string address, ulong high, ulong low)
    {
        using LinuxUdpTransport sender = LinuxUdpTransport.Open(0);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0);
        using var batch = new UdpReceiveBatch(8, 2048);
        using var send = new UdpSendBatch(8, 2048);
        UdpEndpoint plain = UdpEndpoint.From(IPAddress.Parse(address), receiver.Port);
        UdpEndpoint stale = plain.WithSource(high, low, 1);

        Assert.Equal(UdpSendResult.SentWithoutSource, sender.Send(Hello, stale));
        Receive(receiver, batch);
        Add(send, Hello, plain);
        Add(send, Hello, stale);
        Add(send, Hello, plain);

        Assert.Equal(3, sender.SendBatch(send));
        Assert.Equal(
            [UdpSendResult.Sent, UdpSendResult.SentWithoutSource, UdpSendResult.Sent],
            [send.Result(0), send.Result(1), send.Result(2)]);
        Assert.Equal(3, Receive(receiver, batch));
    }

    [Fact]
    public void A_batch_of_both_families_arrives_whole_and_one_failure_holds_up_nothing()
    {
        using LinuxUdpTransport sender = LinuxUdpTransport.Open(0);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0);
        using var send = new UdpSendBatch(64, 70_000);
        using var receive = new UdpReceiveBatch(64, 2048);
        Add(send, [1], Loopback4(receiver));
        Add(send, [2], Loopback4(receiver).WithPort(0));
        Add(send, new byte[66_000], Loopback4(receiver));
        Add(send, [3], Loopback4(receiver));
        Add(send, [4], Loopback6(receiver));
        Add(send, [5], default);
        Add(send, [6], Loopback4(receiver));

        Assert.Equal(4, sender.SendBatch(send));

        Assert.Equal(UdpSendResult.Failed, send.Result(1));
        Assert.Equal(UdpSendResult.TooLarge, send.Result(2));
        Assert.Equal(UdpSendResult.Unreachable, send.Result(5));
        var seen = new List<byte>();
        while (seen.Count < 4)
        {
            int count = Receive(receiver, receive);
            for (int i = 0; i < count; i++)
                seen.Add(receive.Datagram(i)[0]);
        }
        Assert.Equal<byte>([1, 3, 4, 6], [.. seen.Order()]);
        Assert.Equal(0, receiver.ReceiveBatch(receive));
    }

    [Fact]
    public void A_datagram_longer_than_a_slot_comes_out_empty()
    {
        using LinuxUdpTransport transport = LinuxUdpTransport.Open(0);
        using var batch = new UdpReceiveBatch(2, 64);
        transport.Send(new byte[65], Loopback4(transport));
        transport.Send(new byte[64], Loopback4(transport));

        Receive(transport, batch);

        Assert.Equal(2, batch.Count);
        Assert.True(batch.Datagram(0).IsEmpty);
        Assert.Equal(64, batch.Datagram(1).Length);
    }

    [Fact]
    public void The_port_changes_under_the_same_descriptors()
    {
        using LinuxUdpTransport transport = LinuxUdpTransport.Open(0);
        using LinuxUdpTransport other = LinuxUdpTransport.Open(0);
        using var batch = new UdpReceiveBatch(2, 64);
        (int fd4, int fd6, int port) = (transport.PollFd4, transport.PollFd6, transport.Port);

        Assert.Throws<UdpException>(() => transport.ChangePort(other.Port));
        Assert.Equal(port, transport.Port);
        transport.ChangePort(0);

        Assert.NotEqual(port, transport.Port);
        Assert.Equal((fd4, fd6), (transport.PollFd4, transport.PollFd6));
        using LinuxUdpTransport heir = LinuxUdpTransport.Open(port);
        other.Send(Hello, Loopback6(transport));
        Assert.Equal(1, Receive(transport, batch));
    }

    [Fact]
    public void A_kernel_without_loopback_says_unreachable() => NetworkNamespace.Run(() =>
    {
        using LinuxUdpTransport transport = LinuxUdpTransport.Open(0);

        Assert.Equal(UdpSendResult.Unreachable, transport.Send(Hello, UdpEndpoint.Parse("192.0.2.1:1")));
        Assert.Equal(UdpSendResult.Unreachable, transport.Send(Hello, UdpEndpoint.Parse("[2001:db8::1]:1")));
    });

    [Fact]
    public void The_mark_survives_a_change_of_port() => NetworkNamespace.Run(() =>
    {
        using LinuxUdpTransport transport = LinuxUdpTransport.Open(0);
        transport.SetFwmark(0xdeadbeef);
        transport.ChangePort(0);

        Assert.Equal(0xdeadbeef, GetMark(transport.PollFd4));
        Assert.Equal(0xdeadbeef, GetMark(transport.PollFd6));
    });

    [Fact]
    public void Sending_and_receiving_allocate_nothing()
    {
        using LinuxUdpTransport sender = LinuxUdpTransport.Open(0);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0);
        using var send = new UdpSendBatch(8, 2048);
        using var receive = new UdpReceiveBatch(32, 2048);
        using var poller = new Poller(2);
        poller.Watch(receiver.PollFd4);
        poller.Watch(receiver.PollFd6);
        UdpEndpoint to4 = Loopback4(receiver);
        UdpEndpoint to6 = Loopback6(receiver);
        long received = 0;

        long allocated = Allocation.Measure(10_000, i =>
        {
            send.Clear();
            for (int n = 0; n < 4; n++)
                Add(send, Hello, n % 2 == 0 ? to4 : to6);
            sender.SendBatch(send);
            sender.Send(Hello, to4);
            if (poller.Wait(0))
                received += receiver.ReceiveBatch(receive);
        });

        Assert.Equal(0, allocated);
        Assert.InRange(received, 50_000, 60_000);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Many_senders_reach_all_queues_and_each_always_the_same(bool isV6)
    {
        const int queues = 4;
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0, queues: queues);
        using var batch = new UdpReceiveBatch(64, 64);
        var target = new IPEndPoint(isV6 ? IPAddress.IPv6Loopback : IPAddress.Loopback, receiver.Port);
        Socket[] senders = [.. Enumerable.Range(0, 64).Select(_ => new Socket(target.AddressFamily, SocketType.Dgram, ProtocolType.Udp))];
        var seen = new QueuesOfPorts();
        try
        {
            for (int round = 0; round < 3; round++)
                foreach (Socket sender in senders) sender.SendTo(Hello, target);
            for (int arrived = 0; arrived < 3 * senders.Length;)
            {
                using var poller = new Poller(2 * queues);
                foreach (IUdpQueue queue in receiver.Queues) (_, _) = (poller.Watch(queue.PollFd4), poller.Watch(queue.PollFd6));
                Assert.True(poller.Wait(10_000), "nothing arrived in 10 s");
                for (int i = 0; i < queues; i++)
                {
                    int count = receiver.Queues[i].ReceiveBatch(batch);
                    arrived += count;
                    for (int slot = 0; slot < count; slot++) seen.Note(batch.Endpoint(slot).Port, i);
                }
            }
        }
        finally
        {
            foreach (Socket sender in senders) sender.Dispose();
        }
        seen.AssertSpread(senders.Length, queues);
    }

    [Fact]
    public void A_port_with_several_queues_is_taken_for_everybody_who_does_not_share()
    {
        using LinuxUdpTransport first = LinuxUdpTransport.Open(0, queues: 3);

        Assert.True(Assert.Throws<UdpException>(() => LinuxUdpTransport.Open(first.Port)).IsPortInUse);
        Assert.True(Assert.Throws<UdpException>(() => LinuxUdpTransport.Open(first.Port, queues: 2)).IsPortInUse);
    }

    [Theory]
    [InlineData(AddressFamily.InterNetwork)]
    [InlineData(AddressFamily.InterNetworkV6)]
    public unsafe void A_port_that_another_program_is_ready_to_share_is_refused_all_the_same(AddressFamily family)
    {
        using var occupant = new Socket(family, SocketType.Dgram, ProtocolType.Udp);
        if (family == AddressFamily.InterNetworkV6) occupant.DualMode = false;
        int one = 1;
        Assert.Equal(0, Libc.setsockopt((int)occupant.Handle, 1, 15, &one, sizeof(int)));
        occupant.Bind(new IPEndPoint(family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0));
        int port = ((IPEndPoint)occupant.LocalEndPoint!).Port;

        Assert.True(Assert.Throws<UdpException>(() => LinuxUdpTransport.Open(port, queues: 2)).IsPortInUse);
    }

    [Fact]
    public void All_queues_change_their_port_under_the_same_descriptors_and_send_from_it()
    {
        using LinuxUdpTransport transport = LinuxUdpTransport.Open(0, queues: 2);
        using LinuxUdpTransport other = LinuxUdpTransport.Open(0);
        using var send = new UdpSendBatch(1, 64);
        using var batch = new UdpReceiveBatch(2, 64);
        (int, int)[] descriptors = [.. transport.Queues.Select(queue => (queue.PollFd4, queue.PollFd6))];
        int port = transport.Port;
        transport.ChangePort(0);

        Assert.NotEqual(port, transport.Port);
        Assert.Equal(descriptors, transport.Queues.Select(queue => (queue.PollFd4, queue.PollFd6)));
        Assert.Equal(4, descriptors.SelectMany(pair => (int[])[pair.Item1, pair.Item2]).Distinct().Count());
        using LinuxUdpTransport heir = LinuxUdpTransport.Open(port);
        foreach (IUdpQueue queue in transport.Queues)
        {
            foreach (UdpEndpoint to in (UdpEndpoint[])[Loopback4(other), Loopback6(other)])
            {
                send.Clear();
                Add(send, Hello, to);
                Assert.Equal(1, queue.SendBatch(send));
                Assert.Equal(1, Receive(other, batch));
                Assert.Equal(transport.Port, batch.Endpoint(0).Port);
            }
        }
    }

    [Fact]
    public void The_mark_is_set_on_every_queue() => NetworkNamespace.Run(() =>
    {
        using LinuxUdpTransport transport = LinuxUdpTransport.Open(0, queues: 2);
        transport.SetFwmark(0x77);

        foreach (IUdpQueue queue in transport.Queues) Assert.Equal((0x77u, 0x77u), (GetMark(queue.PollFd4), GetMark(queue.PollFd6)));
        transport.ChangePort(0);
        foreach (IUdpQueue queue in transport.Queues) Assert.Equal((0x77u, 0x77u), (GetMark(queue.PollFd4), GetMark(queue.PollFd6)));
    });

    private static UdpEndpoint Loopback4(LinuxUdpTransport transport) =>
        UdpEndpoint.IPv4(0x7f000001, (ushort)transport.Port);

    private static UdpEndpoint Loopback6(LinuxUdpTransport transport) =>
        UdpEndpoint.IPv6(0, 1, (ushort)transport.Port);

    private static void Add(UdpSendBatch batch, ReadOnlySpan<byte> datagram, in UdpEndpoint endpoint)
    {
        datagram.CopyTo(batch.Next);
        batch.Commit(datagram.Length, endpoint);
    }

    private static int Receive(LinuxUdpTransport transport, UdpReceiveBatch batch)
    {
        using var poller = new Poller(2);
        poller.Watch(transport.PollFd4);
        poller.Watch(transport.PollFd6);
        Assert.True(poller.Wait(10_000), "nothing arrived in 10 s");
        return transport.ReceiveBatch(batch);
    }

    private static unsafe uint GetMark(int fd)
    {
        uint mark = 0;
        uint length = sizeof(uint);
        Assert.Equal(0, Libc.getsockopt(fd, 1, 36, &mark, &length));
        return mark;
    }
}
