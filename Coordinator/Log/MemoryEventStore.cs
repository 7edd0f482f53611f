using System.Runtime.CompilerServices;

namespace Mesh.Coordinator.Log;

/// <summary>A store that forgets: for tests and simulations. Behaves as a durable one does towards any number of writers.</summary>
public sealed class MemoryEventStore(NetworkId network) : IEventStore, ISnapshotStore
{
    private readonly Lock _lock = new();
    private readonly List<EventRow> _rows = [];
    private readonly SortedDictionary<long, SignedSnapshot> _snapshots = [];
    private readonly List<Action<long>> _callbacks = [];
    private SignedHead? _head;

    public NetworkId Network { get; } = network;

    public ValueTask<bool> AppendAsync(LogPoint after, IReadOnlyList<EventRow> rows, SignedHead head)
    {
        Action<long>[] callbacks;
        lock (_lock)
        {
            var last = _rows.Count == 0 ? LogPoint.Start : new LogPoint(_rows[^1].Position, _rows[^1].Hash);
            if (last != after)
                return ValueTask.FromResult(false);
            _rows.AddRange(rows);
            _head = head;
            callbacks = [.. _callbacks];
        }

        foreach (var callback in callbacks)
            callback(head.Point.Position);
        return ValueTask.FromResult(true);
    }

    public async IAsyncEnumerable<EventRow> ReadAfterAsync(
        long position, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        for (var index = position; ; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            EventRow row;
            lock (_lock)
            {
                if (index >= _rows.Count)
                    yield break;
                row = _rows[(int)index];
            }

            yield return row;
            await ValueTask.CompletedTask;
        }
    }

    public ValueTask EraseAsync(IReadOnlyList<long> positions)
    {
        lock (_lock)
        {
            foreach (var position in positions)
            {
                if (position <= 0 || position > _rows.Count || _rows[(int)position - 1].SealedPayload is null)
                    continue;
                _rows[(int)position - 1] = _rows[(int)position - 1] with { Salt = null, SealedPayload = null };
                _snapshots.Clear();
            }
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask WriteSnapshotAsync(SignedSnapshot snapshot)
    {
        lock (_lock)
        {
            _snapshots[snapshot.Point.Position] = snapshot;
            if (_snapshots.Count > ISnapshotStore.SnapshotsKept)
                _snapshots.Remove(_snapshots.Keys.First());
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask<SignedSnapshot?> ReadSnapshotAsync(long atOrBefore)
    {
        lock (_lock)
            return ValueTask.FromResult(_snapshots.Values.LastOrDefault(snapshot => snapshot.Point.Position <= atOrBefore));
    }

    public ValueTask<SignedHead?> ReadHeadAsync()
    {
        lock (_lock)
            return ValueTask.FromResult(_head);
    }

    public IDisposable OnAppended(Action<long> callback)
    {
        lock (_lock)
            _callbacks.Add(callback);
        return new Subscription(this, callback);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private sealed class Subscription(MemoryEventStore store, Action<long> callback) : IDisposable
    {
        public void Dispose()
        {
            lock (store._lock)
                store._callbacks.Remove(callback);
        }
    }
}
