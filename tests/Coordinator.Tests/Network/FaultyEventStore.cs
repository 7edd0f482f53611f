using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Tests.Network;

/// <summary>A store in memory whose appends a test can hold, fail, and count.</summary>
internal sealed class FaultyEventStore : IEventStore
{
    private readonly MemoryEventStore _store = new(NetworkId.New());
    private readonly SemaphoreSlim _arrived = new(0);
    private TaskCompletionSource? _gate;
    private int _succeeding;
    private bool _failAfterStoring;

    public NetworkId Network => _store.Network;

    public int Appends { get; private set; }

    /// <summary>Thrown by the next append, once. For a later one, <see cref="FailAfter"/>.</summary>
    public Exception? Fault { get; set; }

    /// <summary>Fails one append after so many that succeed, before or after it is stored.</summary>
    public void FailAfter(int appends, Exception fault, bool afterStoring)
    {
        _succeeding = appends;
        _failAfterStoring = afterStoring;
        Fault = fault;
    }

    /// <summary>Makes appends wait for <see cref="Release"/>.</summary>
    public void Hold() => _gate = new TaskCompletionSource();

    /// <summary>Completes when an append has arrived at the gate.</summary>
    public Task ArrivedAsync() => _arrived.WaitAsync(TestContext.Current.CancellationToken);

    public void Release()
    {
        var gate = _gate;
        _gate = null;
        gate!.SetResult();
    }

    public async ValueTask<bool> AppendAsync(LogPoint after, IReadOnlyList<EventRow> rows, SignedHead head)
    {
        if (_gate is { } gate)
        {
            _arrived.Release();
            await gate.Task;
        }

        if (Fault is { } fault && _succeeding-- == 0)
        {
            Fault = null;
            if (_failAfterStoring)
                await _store.AppendAsync(after, rows, head);
            throw fault;
        }

        Appends++;
        return await _store.AppendAsync(after, rows, head);
    }

    public IAsyncEnumerable<EventRow> ReadAfterAsync(long position, CancellationToken cancellationToken = default) =>
        _store.ReadAfterAsync(position, cancellationToken);

    public ValueTask EraseAsync(IReadOnlyList<long> positions) => _store.EraseAsync(positions);

    public ValueTask<SignedHead?> ReadHeadAsync() => _store.ReadHeadAsync();

    public IDisposable OnAppended(Action<long> callback) => _store.OnAppended(callback);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
