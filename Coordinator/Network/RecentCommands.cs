using System.Diagnostics.CodeAnalysis;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Network;

/// <summary>
/// What the newest commands with an idempotency key appended. Bounded: a key that was pushed out is taken for a new one, which
/// is harmless for every command whose decision looks at the state first. Filled from the log's headers at a start, so a
/// repetition is recognised across restarts and between writers. Used by the writer alone.
/// </summary>
internal sealed class RecentCommands(int capacity)
{
    private readonly Dictionary<IdempotencyKey, List<NetworkEvent>> _events = [];
    private readonly Queue<IdempotencyKey> _order = new();

    public bool TryGet(IdempotencyKey key, [NotNullWhen(true)] out List<NetworkEvent>? events)
    {
        events = null;
        return !key.IsNone && _events.TryGetValue(key, out events);
    }

    public void Add(NetworkEvent e)
    {
        var key = e.Header.IdempotencyKey;
        if (key.IsNone)
            return;
        if (_events.TryGetValue(key, out var events))
        {
            events.Add(e);
            return;
        }

        if (_order.Count == capacity)
            _events.Remove(_order.Dequeue());
        _events.Add(key, [e]);
        _order.Enqueue(key);
    }
}
