using System.Threading.Tasks.Sources;

namespace Mesh.Coordinator.Map;

/// <summary>
/// "Something changed", told from any thread to one waiter. Told twice before it is heard, it is heard once. Costs no
/// allocation a wait, which counts with ten thousand polls.
/// <code>
/// state      Mark                   WaitAsync
/// Idle       → Signaled             → Waiting, the waiter sleeps
/// Waiting    → Signaled, true:      (one waiter only)
///              Execute wakes it
/// Signaled   stays                  → Idle, goes on at once
/// </code>
/// </summary>
internal sealed class AsyncSignal : IValueTaskSource, IThreadPoolWorkItem
{
    private const int Idle = 0, Waiting = 1, Signaled = 2;

    private ManualResetValueTaskSourceCore<bool> _source;
    private int _state;

    /// <summary>Tells, and has the waiter go on on the thread pool.</summary>
    public void Set()
    {
        if (Mark()) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Tells. True when the waiter sleeps: then whoever marked must see to one <see cref="Execute"/>.</summary>
    public bool Mark() => Interlocked.Exchange(ref _state, Signaled) == Waiting;

    /// <summary>Lets the waiter go on, on this thread and up to where it has to wait.</summary>
    public void Execute() => _source.SetResult(true);

    public ValueTask WaitAsync()
    {
        if (Interlocked.CompareExchange(ref _state, Idle, Signaled) == Signaled) return ValueTask.CompletedTask;
        _source.Reset();
        if (Interlocked.CompareExchange(ref _state, Waiting, Idle) == Idle) return new ValueTask(this, _source.Version);
        Volatile.Write(ref _state, Idle);
        return ValueTask.CompletedTask;
    }

    void IValueTaskSource.GetResult(short token)
    {
        _source.GetResult(token);
        // Whoever set the signal again meanwhile has done so before the waiter looks at what changed.
        Volatile.Write(ref _state, Idle);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}
