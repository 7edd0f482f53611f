using Mesh.Node.Device;
using Mesh.Node.Filter;
using static Mesh.Node.Tests.Filter.FilterMaps;
using static Mesh.Node.Tests.Filter.PacketWriter;

namespace Mesh.Node.Tests.Filter;

/// <summary>The paths of several queues judge at once.</summary>
public sealed class ConcurrencyTests
{
    [Fact]
    public void Paths_that_judge_at_once_do_not_take_each_others_peers_for_their_own()
    {
        const int rounds = 200_000;
        using var probe = new PacketProbe(Map([Rule([1], ports: [Port(22)])], []), new ManualTime(), queues: 2);
        byte[] allowed = TcpPacket(V4(1), Us, 4000, 22, Syn), denied = TcpPacket(V4(2), Us, 4000, 22, Syn);
        int left0 = rounds, left1 = rounds, wrong = 0;
        using var both = new ThreadsAtOnce(
            () =>
            {
                if (probe.Receive(1, allowed, queue: 0) is not null) Interlocked.Increment(ref wrong);
                return --left0 > 0;
            },
            () =>
            {
                if (probe.Receive(2, denied, queue: 1) != DropReason.PolicyDenied) Interlocked.Increment(ref wrong);
                return --left1 > 0;
            });
        both.RunAtOnce();
        Assert.Equal((0, 0, 0), (left0, left1, wrong));
    }

    [Fact]
    public void A_key_that_two_threads_add_at_once_has_one_entry_and_pushes_out_nothing()
    {
        const int keys = 60_000;
        var table = new BoundedTable(1 << 20);
        static FlowKey Key(int i) => new() { Peer = 1, RemoteLow = (ulong)i };
        void Add()
        {
            for (int i = 0; i < keys; i++) table.Put(Key(i), 0, endsAt: 2, now: 1);
        }
        for (int round = 0; round < 10; round++)
        {
            ThreadsAtOnce.Run(Add, Add);
            for (int i = 0; i < keys; i++)
            {
                Assert.True(table.TryFind(Key(i), 1, out _, out _, out _));
                table.Remove(Key(i));
                Assert.False(table.TryFind(Key(i), 1, out _, out _, out _));
            }
        }
        Assert.Equal(0, table.Evictions);
    }
}
