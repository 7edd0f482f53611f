using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Mesh.Coordinator.Hosting;

/// <summary>
/// A token bucket for each source address (an IPv6 one by its /64), in a table of fixed size: strangers cannot make it
/// grow. Addresses are spread over the slots by a hash keyed afresh in each process; the few that share a slot share its
/// bucket. Thread-safe.
/// </summary>
internal sealed class AddressRateLimiter
{
    private const int Slots = 1 << 14;
    private const int LockStripes = 64;

    private readonly TimeProvider _clock;
    private readonly double _perSecond;
    private readonly double _burst;
    private readonly Bucket[] _buckets = new Bucket[Slots];
    private readonly Lock[] _stripes = new Lock[LockStripes];
    private readonly byte[] _hashKey = RandomNumberGenerator.GetBytes(32);

    public AddressRateLimiter(TimeProvider clock, int perSecond, int burst)
    {
        (_clock, _perSecond, _burst) = (clock, perSecond, burst);
        for (int i = 0; i < LockStripes; i++) _stripes[i] = new Lock();
    }

    /// <summary>False when the address is over its rate.</summary>
    public bool TryTake(IPAddress address)
    {
        int slot = SlotOf(address);
        long now = _clock.GetTimestamp();
        lock (_stripes[slot % LockStripes])
        {
            ref var bucket = ref _buckets[slot];
            double tokens = bucket.Used
                ? Math.Min(_burst, bucket.Tokens + _clock.GetElapsedTime(bucket.At, now).TotalSeconds * _perSecond)
                : _burst;
            bool granted = tokens >= 1;
            bucket = new Bucket(true, now, granted ? tokens - 1 : tokens);
            return granted;
        }
    }

    private int SlotOf(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        Span<byte> bytes = stackalloc byte[16], hash = stackalloc byte[32];
        address.TryWriteBytes(bytes, out int length);
        int counted = address.AddressFamily == AddressFamily.InterNetworkV6 ? 8 : length;
        HMACSHA256.HashData(_hashKey, bytes[..counted], hash);
        return (hash[0] | hash[1] << 8) & (Slots - 1);
    }

    private readonly record struct Bucket(bool Used, long At, double Tokens);
}
