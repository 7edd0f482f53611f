namespace Mesh.Coordinator.Map;

/// <summary>
/// Polls that are to hear of one change. Listing them costs a reference each; the thread pool tells them, some at a time, and has
/// each look on the thread that tells it.
/// </summary>
internal sealed class WakeBatch(List<PollSession> polls) : IThreadPoolWorkItem
{
    /// <summary>Polls that one thread tells in a row: few enough for all threads to have a part of a thousand.</summary>
    private const int Row = 32;

    private int _next;

    public void Start()
    {
        if (polls.Count > 0) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute()
    {
        int end = Interlocked.Add(ref _next, Row);
        // The next row is another thread's, if one is free.
        if (end < polls.Count) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        for (int i = end - Row; i < Math.Min(end, polls.Count); i++) polls[i].Changed();
    }
}
