using System.Runtime.CompilerServices;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Tests.Network;

/// <summary>A store in memory of which one call, whichever it is, fails: before it does anything, or after it has.</summary>
internal sealed class FailingStore : IEventStore, ISnapshotStore
{
    private readonly MemoryEventStore _store = new(NetworkId.New());
    private int _callsLeft = int.MaxValue;
    private LogStoreException? _fault;
    private bool _afterwards;

    public NetworkId Network => _store.Network;

    /// <summary>What failed; null until it has.</summary>
    public string? Failed { get; private set; }

    public void FailCall(int after, LogStoreException fault, bool afterwards)
    {
        (_fault, _afterwards) = (fault, afterwards);
        Volatile.Write(ref _callsLeft, after);
    }

    public void Mend() => Volatile.Write(ref _callsLeft, int.MaxValue);

    public ValueTask<bool> AppendAsync(LogPoint after, IReadOnlyList<EventRow> rows, SignedHead head) =>
        CallAsync(() => _store.AppendAsync(after, rows, head));

    public async IAsyncEnumerable<EventRow> ReadAfterAsync(long position, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await CallAsync(() => ValueTask.FromResult(0));
        await foreach (var row in _store.ReadAfterAsync(position, cancellationToken))
            yield return row;
        await CallAsync(() => ValueTask.FromResult(0)); // A read may fail at its end as well as at its start.
    }

    public async ValueTask EraseAsync(IReadOnlyList<long> positions) => await CallAsync(async () =>
    {
        await _store.EraseAsync(positions);
        return 0;
    });

    public async ValueTask WriteSnapshotAsync(SignedSnapshot snapshot) => await CallAsync(async () =>
    {
        await _store.WriteSnapshotAsync(snapshot);
        return 0;
    });

    public ValueTask<SignedSnapshot?> ReadSnapshotAsync(long atOrBefore) => CallAsync(() => _store.ReadSnapshotAsync(atOrBefore));

    public ValueTask<SignedHead?> ReadHeadAsync() => CallAsync(_store.ReadHeadAsync);

    public IDisposable OnAppended(Action<long> callback) => _store.OnAppended(callback);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async ValueTask<T> CallAsync<T>(Func<ValueTask<T>> call, [CallerMemberName] string name = "")
    {
        var fails = Interlocked.Decrement(ref _callsLeft) == -1;
        if (fails)
            Failed = name;
        if (fails && !_afterwards)
            throw _fault!;
        var result = await call();
        return fails ? throw _fault! : result;
    }
}
