namespace Mesh.Coordinator.Map;

/// <summary>
/// Polls that are told of one change: marked one after the other, which takes next to nothing, and woken by the thread pool some at a
/// time, since to queue each by itself would cost more than the marking. Not thread-safe.
/// </summary>
internal sealed class WakeBatch
{
    /// <summary>Of polls that one thread wakes in a row: few enough for all threads to have a part of a thousand.</summary>
    private const int Row = 32;

    private readonly List<Part> _parts = [];

    public void Add(PollSession session)
    {
        if (session.Mark() is not { } sleeping) return;
        if (_parts.Count == 0 || _parts[^1].Count == Row) _parts.Add(new Part());
        var part = _parts[^1];
        part.Sleeping[part.Count++] = sleeping;
    }

    /// <summary>To be called once, when all are added: whoever is awake would compete with the marking.</summary>
    public void Wake()
    {
        foreach (var part in _parts) ThreadPool.UnsafeQueueUserWorkItem(part, preferLocal: false);
    }

    private sealed class Part : IThreadPoolWorkItem
    {
        public AsyncSignal[] Sleeping { get; } = new AsyncSignal[Row];

        public int Count { get; set; }

        public void Execute()
        {
            for (int i = 0; i < Count; i++) Sleeping[i].Execute();
        }
    }
}
