using System.Threading.Tasks.Sources;

namespace Mesh.Coordinator.Map;

/// <summary>
/// Flags set from any thread for one waiter, in one word together with whether it sleeps. Set twice before it is heard, a flag is
/// heard once. Costs no allocation a wait, which counts with ten thousand polls.
/// <code>
/// word              Set                       WaitAsync
/// 0                 → flags                   → Waiting, the waiter sleeps
/// flags             more flags                → 0, goes on at once with the flags
/// Waiting           → Waiting | flags, and    (one waiter only)
///                   the waiter is woken
/// Waiting | flags   more flags; → 0 once the waiter has the flags
/// </code>
/// </summary>
internal sealed class AsyncSignal : IValueTaskSource<int>, IThreadPoolWorkItem
{
    private const int Waiting = int.MinValue;

    private ManualResetValueTaskSourceCore<bool> _source;
    private int _word;

    /// <summary>Sets flags, and has the waiter go on on the thread pool.</summary>
    public void Set(int flags)
    {
        if (WakesWaiter(flags)) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Sets flags, and has the waiter go on on this thread, up to where it has to wait.</summary>
    public void SetHere(int flags)
    {
        if (WakesWaiter(flags)) _source.SetResult(true);
    }

    /// <summary>Returns, and clears, the flags once there are any.</summary>
    public ValueTask<int> WaitAsync()
    {
        if (Volatile.Read(ref _word) == 0)
        {
            _source.Reset();
            if (Interlocked.CompareExchange(ref _word, Waiting, 0) == 0) return new ValueTask<int>(this, _source.Version);
        }
        return new ValueTask<int>(Interlocked.Exchange(ref _word, 0));
    }

    void IThreadPoolWorkItem.Execute() => _source.SetResult(true);

    int IValueTaskSource<int>.GetResult(short token)
    {
        _source.GetResult(token);
        return Interlocked.Exchange(ref _word, 0) & ~Waiting;
    }

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    // The first of those who find the waiter asleep.
    private bool WakesWaiter(int flags) => Interlocked.Or(ref _word, flags) == Waiting;
}
