using Mesh.Node.Device;

namespace Mesh.Node.Filter;

/// <summary>
/// What the filter dropped of one peer's packets, by reason, and one packet as a sample. Written on the packet paths without a
/// lock or an allocation, read whenever.
/// </summary>
internal sealed class PeerDrops(ulong peer)
{
    private const int Free = 0, Busy = 1, Taken = 2;
    private static readonly DropReason[] Reasons =
    [
        DropReason.PolicyDenied, DropReason.PolicyHeaders, DropReason.PolicyFragment, DropReason.PolicyIcmp, DropReason.PolicyPeer,
        DropReason.PolicyEgress,
    ];

    private readonly long[] _counts = new long[(int)Reasons.Max() + 1];
    private PacketHeaders _sample;
    private DropReason _sampleReason;
    private int _sampleState;

    public ulong Peer => peer;

    public IEnumerable<(DropReason Reason, long Count)> Counts =>
        Reasons.Select(reason => (reason, Volatile.Read(ref _counts[(int)reason]))).Where(entry => entry.Item2 > 0);

    public long Total => Counts.Sum(entry => entry.Count);

    /// <summary>Counts the drop, and keeps the packet as a sample when there is none yet.</summary>
    public void Add(DropReason reason, in PacketHeaders headers)
    {
        Interlocked.Increment(ref _counts[(int)reason]);
        if (Volatile.Read(ref _sampleState) != Free || Interlocked.CompareExchange(ref _sampleState, Busy, Free) != Free) return;
        (_sample, _sampleReason) = (headers, reason);
        Volatile.Write(ref _sampleState, Taken);
    }

    /// <summary>Takes the sample, so that the next dropped packet becomes one.</summary>
    public (DropReason Reason, PacketHeaders Headers)? TakeSample()
    {
        if (Volatile.Read(ref _sampleState) != Taken) return null;
        var sample = (_sampleReason, _sample);
        Volatile.Write(ref _sampleState, Free);
        return sample;
    }
}
