using Mesh.Node.Offload;
using Mesh.Node.Tun;

namespace Mesh.Node.Tests.Offload;

/// <summary>A coalescer before a host in memory.</summary>
internal sealed unsafe class CoalescerLab : IDisposable
{
    private readonly byte[] _taken = new byte[70_000];

    /// <param name="capacity">Packets that the host may be given at once. What each held, stays.</param>
    public CoalescerLab(OffloadSet offloads = OffloadSet.All, int capacity = 4096)
    {
        Tun = new FakeTun(capacity: capacity, offloads: offloads);
        Coalescer = new Coalescer(Tun);
    }

    public FakeTun Tun { get; }

    public Coalescer Coalescer { get; }

    /// <summary>Adds the packets as one batch, and takes what the host was given.</summary>
    public List<(byte[] Packet, VirtioNetHeader Header)> Pass(IReadOnlyList<byte[]> packets)
    {
        // As in a receive slot: one behind the other, each in the middle of other bytes.
        byte[] memory = GC.AllocateUninitializedArray<byte>(packets.Sum(packet => packet.Length + 48), pinned: true);
        int at = 16;
        fixed (byte* m = memory)
        {
            foreach (byte[] packet in packets)
            {
                packet.CopyTo(memory, at);
                Coalescer.Add(m + at, packet.Length);
                at += packet.Length + 48;
            }
            Coalescer.Flush();
        }
        List<(byte[], VirtioNetHeader)> written = [];
        while (Tun.TryTake(_taken, out int length, out VirtioNetHeader header)) written.Add((_taken[..length], header));
        return written;
    }

    public void Dispose()
    {
        Coalescer.Dispose();
        Tun.Dispose();
    }
}
