namespace Mesh.Node.Device;

/// <summary>How many packets were dropped, by reason. Counting is safe from any thread and allocates nothing.</summary>
public sealed class DropCounters
{
    private readonly long[] _counts = new long[Enum.GetValues<DropReason>().Length];

    public long this[DropReason reason] => Volatile.Read(ref _counts[(int)reason]);

    internal void Add(DropReason reason, int count = 1) => Interlocked.Add(ref _counts[(int)reason], count);

    public IEnumerable<(DropReason Reason, long Count)> All() =>
        Enum.GetValues<DropReason>().Select(reason => (reason, this[reason]));
}
