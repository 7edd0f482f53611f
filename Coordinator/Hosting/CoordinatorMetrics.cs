using System.Diagnostics.Metrics;

namespace Mesh.Coordinator.Hosting;

/// <summary>The coordinator's meter, "Mesh.Coordinator". Names and units follow OpenTelemetry; tags are of low cardinality.</summary>
internal sealed class CoordinatorMetrics : IDisposable
{
    public const string MeterName = "Mesh.Coordinator";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _refused;
    private readonly Counter<long> _frames;
    private readonly Counter<long> _frameBytes;
    private readonly UpDownCounter<long> _polls;

    public CoordinatorMetrics()
    {
        _refused = _meter.CreateCounter<long>("mesh.coordinator.requests.refused", "{request}", "Requests of nodes answered with a problem");
        _frames = _meter.CreateCounter<long>("mesh.coordinator.map.frames", "{frame}", "Map frames written, by kind");
        _frameBytes = _meter.CreateCounter<long>("mesh.coordinator.map.size", "By", "Bytes of map frames written");
        _polls = _meter.CreateUpDownCounter<long>("mesh.coordinator.polls", "{poll}", "Map polls open");
    }

    public void Refused(string problemType) => _refused.Add(1, new KeyValuePair<string, object?>("problem", problemType));

    public void Frame(string kind, long bytes)
    {
        _frames.Add(1, new KeyValuePair<string, object?>("kind", kind));
        _frameBytes.Add(bytes);
    }

    public void PollOpened() => _polls.Add(1);

    public void PollClosed() => _polls.Add(-1);

    public void Dispose() => _meter.Dispose();
}
