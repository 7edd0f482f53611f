using System.Collections.Concurrent;
using Mesh.Coordinator.Hosting;

namespace Mesh.Coordinator.Map;

/// <summary>
/// Lets a node's host facts into the log once a minute at most, since each change is an event for ever. What is held back
/// comes with the node's next report. Bounded by the number of nodes.
/// </summary>
internal sealed class HostFactGate(TimeProvider clock)
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<(NetworkHost, ulong), long> _last = new();

    public bool MayRecord(NetworkHost network, ulong nodeId)
    {
        long now = clock.GetTimestamp();
        while (true)
        {
            if (_last.TryGetValue((network, nodeId), out long last))
            {
                if (clock.GetElapsedTime(last, now) < Interval) return false;
                if (_last.TryUpdate((network, nodeId), now, last)) return true;
            }
            else if (_last.TryAdd((network, nodeId), now))
            {
                return true;
            }
        }
    }
}
