using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Network;

/// <summary>
/// The newest states, for nodes that resume from one of them. States share structure, so each costs what its change did.
/// Bounded: the oldest makes room, and whoever resumes from it gets a snapshot. Thread-safe.
/// </summary>
internal sealed class RecentStates(int capacity)
{
    private readonly Lock _lock = new();
    private readonly NetworkState[] _ring = new NetworkState[capacity];
    private int _count;
    private int _next;

    /// <param name="state">Newer than every one before.</param>
    public void Add(NetworkState state)
    {
        lock (_lock)
        {
            _ring[_next] = state;
            _next = (_next + 1) % capacity;
            _count = Math.Min(_count + 1, capacity);
        }
    }

    public void Clear()
    {
        lock (_lock)
        {
            Array.Clear(_ring);
            _count = 0;
        }
    }

    /// <summary>Null when the state is not kept any more, was never published, or has another hash.</summary>
    public NetworkState? Find(LogPoint point)
    {
        lock (_lock)
        {
            var (low, high) = (0, _count - 1);
            while (low <= high)
            {
                var middle = (low + high) / 2;
                var state = _ring[(_next - _count + middle + capacity) % capacity];
                if (state.Position == point.Position)
                    return state.Point == point ? state : null;
                if (state.Position < point.Position)
                    low = middle + 1;
                else
                    high = middle - 1;
            }

            return null;
        }
    }
}
