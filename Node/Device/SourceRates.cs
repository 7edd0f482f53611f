using Mesh.Node.Udp;

namespace Mesh.Node.Device;

/// <summary>
/// Token buckets of source addresses (IPv6: of their /64): <see cref="Timing.SourceMessagesPerSecond"/> and
/// <see cref="Timing.SourceBurst"/> at once. A bucket that is full again is forgotten. When
/// <see cref="Timing.SourcesRemembered"/> are held, a new source is refused.
/// </summary>
internal sealed class SourceRates
{
    private static readonly long Cost = TimeSpan.TicksPerSecond / Timing.SourceMessagesPerSecond;
    private static readonly long Full = Cost * Timing.SourceBurst;

    private readonly Dictionary<(UdpFamily, ulong), (long Tokens, long At)> _buckets = [];
    private long _sweepAt;

    public bool TryTake(in UdpEndpoint source, long now)
    {
        if (now >= _sweepAt) Sweep(now);
        var key = (source.Family, source.Family == UdpFamily.IPv6 ? source.AddressHigh : source.AddressLow);
        if (!_buckets.TryGetValue(key, out var bucket))
        {
            if (_buckets.Count >= Timing.SourcesRemembered) return false;
            bucket = (Full, now);
        }
        long tokens = Math.Min(bucket.Tokens + (now - bucket.At), Full);
        bool admitted = tokens >= Cost;
        _buckets[key] = (admitted ? tokens - Cost : tokens, now);
        return admitted;
    }

    private void Sweep(long now)
    {
        _sweepAt = now + TimeSpan.TicksPerSecond;
        foreach (var (key, bucket) in _buckets)
            if (bucket.Tokens + (now - bucket.At) >= Full) _buckets.Remove(key);
    }
}
