namespace Mesh.Node.Device;

/// <summary>
/// Tells when no packet path can still hold something that was taken out of reach, so that keys are zeroed under nobody's
/// hands. Each path, of every queue, has a counter that is odd while it works on a batch. What is retired is out of reach already; once
/// every path was seen idle, or has moved on, it is zeroed. Costs the packet path two atomic increments a batch.
/// </summary>
internal sealed class Quiescence
{
    private readonly Lock _gate = new();
    private readonly List<Section> _sections = [];
    private readonly Queue<(Keypair Keypair, long[] Seen)> _retired = new();

    /// <summary>Number of keypairs that wait to be zeroed.</summary>
    public int Waiting
    {
        get { lock (_gate) return _retired.Count; }
    }

    public Section AddPath()
    {
        lock (_gate)
        {
            if (_retired.Count > 0) throw new InvalidOperationException("paths are added before the device runs");
            var section = new Section();
            _sections.Add(section);
            return section;
        }
    }

    /// <summary>To be zeroed later. The keypair must be out of every table that the paths read.</summary>
    public void Retire(Keypair keypair)
    {
        lock (_gate)
        {
            Interlocked.MemoryBarrier();
            _retired.Enqueue((keypair, [.. _sections.Select(section => section.Count)]));
        }
    }

    /// <summary>Zeroes what can be zeroed.</summary>
    /// <returns>True when nothing is left waiting.</returns>
    public bool Reclaim()
    {
        lock (_gate)
        {
            while (_retired.TryPeek(out var next))
            {
                for (int i = 0; i < _sections.Count; i++)
                    if ((next.Seen[i] & 1) != 0 && _sections[i].Count == next.Seen[i]) return false;
                next.Keypair.Zero();
                _retired.Dequeue();
            }
            return true;
        }
    }

    internal sealed class Section
    {
        private long _count;

        public long Count => Interlocked.Read(ref _count);

        public void Enter() => Interlocked.Increment(ref _count);

        public void Exit() => Interlocked.Increment(ref _count);
    }
}
