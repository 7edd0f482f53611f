using System.Runtime.InteropServices;
using Mesh.Node.Kernel;
using Mesh.Node.Offload;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Udp;

public sealed unsafe class UdpOffloadTests
{
    private const OffloadSet Both = OffloadSet.UdpGso | OffloadSet.UdpGro;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_run_leaves_in_one_message_and_arrives_whole(bool isV6)
    {
        using var sender = new OlderKernel(static (_, _) => 0);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0, Both);
        using UdpSendBatch batch = Filled(sender, receiver, 40, 1200, last: 700, isV6, ecn: 1);
        Assert.Equal(1, batch.RunCount);
        Assert.Equal(40, sender.SendBatch(batch));
        Assert.Equal(1, sender.Messages);
        var (lengths, ecn) = Receive(receiver, 40);
        Assert.Equal([.. Enumerable.Repeat(1200, 39), 700], lengths);
        Assert.Equal([1], ecn);
    }

    [Fact]
    public void Runs_end_where_endpoint_length_or_mark_change_and_at_the_kernels_limits()
    {
        using var batch = new UdpSendBatch(1000, 500_000) { MaxSegments = 64 };
        UdpEndpoint one = UdpEndpoint.Parse("192.0.2.1:1"), other = UdpEndpoint.Parse("192.0.2.1:2");
        void Add(int times, int length, UdpEndpoint endpoint, int ecn = 0)
        {
            for (int i = 0; i < times; i++) batch.Commit(length, endpoint, ecn);
        }
        Add(3, 100, one);
        Add(1, 100, other);
        Add(2, 100, one);
        Add(1, 101, one); // longer than those before
        Add(1, 50, one); // shorter: the last of its run
        Add(1, 50, one);
        Add(1, 50, one, ecn: 2);
        Add(1, 50, one.WithSource(0, 0x7f000001, 1), ecn: 2);
        Add(70, 10, other);
        Add(50, 1452, one);
        Assert.Equal([3, 1, 2, 2, 1, 1, 1, 64, 6, 44, 6], Enumerable.Range(0, batch.RunCount).Select(i => batch.Run(i).Count));
        Assert.Equal(batch.Count, Enumerable.Range(0, batch.RunCount).Sum(i => batch.Run(i).Count));
        Assert.Equal([101, 50], [batch.Datagram(6).Length, batch.Datagram(7).Length]);
    }

    [Fact]
    public void A_kernel_that_takes_64_segments_gets_64_at_once()
    {
        using var sender = new OlderKernel(static (segments, _) => segments > 64 ? Errno.EINVAL : 0);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0, Both);
        using UdpSendBatch batch = Filled(sender, receiver, 100, 200);
        Assert.Equal(100, sender.SendBatch(batch));
        Assert.Equal((64, 3), (sender.MaxSegments, sender.Messages)); // 100 refused, 64, 36
        Assert.Equal(Enumerable.Repeat(200, 100), Receive(receiver, 100).Lengths);
    }

    [Theory]
    [InlineData(Errno.EIO)]
    [InlineData(Errno.EINVAL)]
    public void Where_runs_are_refused_the_batch_is_sent_one_by_one_and_no_more_runs_are_made(int errno)
    {
        using var sender = new OlderKernel((segments, _) => segments > 1 ? errno : 0);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0, Both);
        using UdpSendBatch batch = Filled(sender, receiver, 10, 200, last: 3);
        Assert.Equal(10, sender.SendBatch(batch));
        Assert.Equal(UdpSendResult.Sent, batch.Result(0));
        Assert.Equal(1, sender.MaxSegments);
        Assert.Equal([.. Enumerable.Repeat(200, 9), 3], Receive(receiver, 10).Lengths);
    }

    [Fact]
    public void A_path_too_narrow_for_a_run_does_not_end_runs_to_others()
    {
        using var sender = new OlderKernel(static (segments, bytes) => segments > 1 && bytes > 5000 ? Errno.EINVAL : 0);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0, Both);
        using UdpSendBatch narrow = Filled(sender, receiver, 5, 900);
        Assert.Equal(5, sender.SendBatch(narrow));
        using UdpSendBatch wide = Filled(sender, receiver, 6, 1400);
        Assert.Equal(6, sender.SendBatch(wide));
        Assert.Equal(128, sender.MaxSegments);
        Assert.Equal([.. Enumerable.Repeat(900, 5), .. Enumerable.Repeat(1400, 6)], Receive(receiver, 11).Lengths);
    }

    [Fact]
    public void A_run_from_a_source_that_is_ours_no_more_goes_out_from_another()
    {
        using LinuxUdpTransport sender = LinuxUdpTransport.Open(0, Both);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0, Both);
        using UdpSendBatch batch = Filled(sender, receiver, 10, 200, source: 0xc6336401);
        Assert.Equal(10, sender.SendBatch(batch));
        Assert.Equal(UdpSendResult.SentWithoutSource, batch.Result(9));
        Assert.Equal(128, sender.MaxSegments);
        Assert.Equal(10, Receive(receiver, 10).Lengths.Count);
    }

    [Fact]
    public void Runs_to_both_sides_of_a_failure_are_sent()
    {
        using LinuxUdpTransport sender = LinuxUdpTransport.Open(0, Both);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0, Both);
        using UdpSendBatch batch = Filled(sender, receiver, 10, 200);
        for (int i = 0; i < 3; i++) batch.Commit(100, UdpEndpoint.IPv4(0x7f000001, 0));
        for (int i = 0; i < 3; i++) batch.Commit(100, UdpEndpoint.IPv6(0, 1, (ushort)receiver.Port));
        Assert.Equal(13, sender.SendBatch(batch));
        Assert.Equal([UdpSendResult.Sent, UdpSendResult.Failed, UdpSendResult.Sent], [batch.Result(9), batch.Result(10), batch.Result(15)]);
        Assert.Equal(13, Receive(receiver, 13).Lengths.Count);
    }

    [Fact]
    public void Sending_and_receiving_runs_allocates_nothing()
    {
        using LinuxUdpTransport sender = LinuxUdpTransport.Open(0, Both);
        using LinuxUdpTransport receiver = LinuxUdpTransport.Open(0, Both);
        using UdpSendBatch batch = Filled(sender, receiver, 40, 1200);
        using var receive = new UdpReceiveBatch(8, 65_535);
        int received = 0;
        long allocated = Allocation.Measure(2000, _ =>
        {
            sender.SendBatch(batch);
            for (int i = 0; i < receiver.ReceiveBatch(receive); i++) received += receive.Datagram(i).Length / receive.SegmentSize(i);
        });
        Assert.Equal(0, allocated);
        Assert.InRange(received, 40 * 2000, 40 * 2200);
    }

    private static UdpSendBatch Filled(
        LinuxUdpTransport sender, LinuxUdpTransport receiver, int count, int length, int? last = null, bool isV6 = false, int ecn = 0, uint source = 0)
    {
        var batch = new UdpSendBatch(256, 200_000) { MaxSegments = sender.MaxSegments };
        UdpEndpoint to = isV6 ? UdpEndpoint.IPv6(0, 1, (ushort)receiver.Port) : UdpEndpoint.IPv4(0x7f000001, (ushort)receiver.Port);
        if (source != 0) to = to.WithSource(0, source, 1);
        for (int i = 0; i < count; i++)
        {
            int size = i == count - 1 ? last ?? length : length;
            batch.Next[..size].Fill((byte)i);
            batch.Commit(size, to, ecn);
        }
        return batch;
    }

    private static (List<int> Lengths, int[] Ecn) Receive(LinuxUdpTransport transport, int count)
    {
        using var batch = new UdpReceiveBatch(64, 65_535);
        using var poller = new Poller(2);
        poller.Watch(transport.PollFd4);
        poller.Watch(transport.PollFd6);
        List<int> lengths = [];
        HashSet<int> marks = [];
        while (lengths.Count < count)
        {
            Assert.True(poller.Wait(10_000), $"{lengths.Count} of {count} arrived in 10 s");
            transport.ReceiveBatch(batch);
            for (int slot = 0; slot < batch.Count; slot++)
            {
                marks.Add(batch.Ecn(slot));
                for (int left = batch.Datagram(slot).Length, size = batch.SegmentSize(slot); left > 0; left -= size) lengths.Add(Math.Min(size, left));
            }
        }
        return (lengths, [.. marks]);
    }

    /// <summary>Asks before each message whether the kernel that it plays takes so many segments and bytes.</summary>
    private sealed class OlderKernel : LinuxUdpTransport
    {
        private readonly Func<int, int, int> _errno;

        public OlderKernel(Func<int, int, int> errno) : base(Both)
        {
            _errno = errno;
            Bind(0);
        }

        public int Messages { get; private set; }

        internal override int SendMessages(int fd, MMsgHdr* headers, int count)
        {
            int bytes = (int)headers->Header.Iov->Length, segments = 1;
            var control = (CMsgHdr*)headers->Header.Control;
            if (headers->Header.ControlLength > 0 && control->Level == SocketAddress.SolUdp)
                segments = (bytes + *(ushort*)(control + 1) - 1) / *(ushort*)(control + 1);
            Messages++;
            int errno = _errno(segments, bytes);
            if (errno == 0) return base.SendMessages(fd, headers, 1);
            Marshal.SetLastPInvokeError(errno);
            return -1;
        }
    }
}
