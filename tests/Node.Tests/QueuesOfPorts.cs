namespace Mesh.Node.Tests;

/// <summary>Over which queues the packets of each port came.</summary>
internal sealed class QueuesOfPorts
{
    private readonly Dictionary<int, HashSet<int>> _queuesOf = [];

    public void Note(int port, int queue)
    {
        if (!_queuesOf.TryGetValue(port, out HashSet<int>? seen)) _queuesOf[port] = seen = [];
        seen.Add(queue);
    }

    /// <summary>All ports were seen, each over one queue, and all queues.</summary>
    public void AssertSpread(int ports, int queues)
    {
        Assert.Equal(ports, _queuesOf.Count);
        Assert.All(_queuesOf.Values, seen => Assert.Single(seen));
        Assert.Equal(Enumerable.Range(0, queues), _queuesOf.Values.SelectMany(seen => seen).Distinct().Order());
    }
}
