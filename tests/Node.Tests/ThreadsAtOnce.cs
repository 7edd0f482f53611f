namespace Mesh.Node.Tests;

/// <summary>Threads that each do something until it says that there is nothing more to do, beginning at the same moment.</summary>
internal sealed class ThreadsAtOnce : IDisposable
{
    private readonly Barrier _barrier;
    private readonly Thread[] _threads;
    private volatile bool _ended;
    private volatile Exception? _failure;

    public ThreadsAtOnce(params Func<bool>[] actions)
    {
        _barrier = new Barrier(actions.Length + 1);
        _threads = [.. actions.Select(action => new Thread(() => Work(action)) { IsBackground = true })];
        foreach (Thread thread in _threads) thread.Start();
    }

    public static void Run(params Action[] actions)
    {
        using var threads = new ThreadsAtOnce([.. actions.Select(action => (Func<bool>)(() =>
        {
            action();
            return false;
        }))]);
        threads.RunAtOnce();
    }

    public void RunAtOnce()
    {
        _barrier.SignalAndWait();
        _barrier.SignalAndWait();
        if (_failure is { } failure) throw new InvalidOperationException("one of the threads failed", failure);
    }

    public void Dispose()
    {
        _ended = true;
        _barrier.SignalAndWait();
        foreach (Thread thread in _threads) thread.Join();
        _barrier.Dispose();
    }

    private void Work(Func<bool> action)
    {
        while (true)
        {
            _barrier.SignalAndWait();
            if (_ended) return;
            try
            {
                while (action()) { }
            }
#pragma warning disable CA1031 // Told to the test.
            catch (Exception e)
#pragma warning restore CA1031
            {
                _failure = e;
            }
            _barrier.SignalAndWait();
        }
    }
}
