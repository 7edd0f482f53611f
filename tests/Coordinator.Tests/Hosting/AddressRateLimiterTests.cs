using System.Net;
using Mesh.Coordinator.Hosting;

namespace Mesh.Coordinator.Tests.Hosting;

public sealed class AddressRateLimiterTests
{
    private readonly ManualClock _clock = new();

    [Fact]
    public void A_burst_passes_then_the_rate_holds()
    {
        var limiter = new AddressRateLimiter(_clock, perSecond: 5, burst: 20);
        var address = IPAddress.Parse("192.0.2.1");
        Assert.Equal(20, Enumerable.Range(0, 100).Count(_ => limiter.TryTake(address)));
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(10, Enumerable.Range(0, 100).Count(_ => limiter.TryTake(address)));
    }

    [Fact]
    public void Addresses_of_one_IPv6_64_share_a_bucket_and_a_mapped_IPv4_is_the_IPv4()
    {
        var limiter = new AddressRateLimiter(_clock, 1, 1);
        Assert.True(limiter.TryTake(IPAddress.Parse("2001:db8:1:2::1")));
        Assert.False(limiter.TryTake(IPAddress.Parse("2001:db8:1:2:ffff::9")));
        var other = new AddressRateLimiter(_clock, 1, 1);
        Assert.True(other.TryTake(IPAddress.Parse("192.0.2.1")));
        Assert.False(other.TryTake(IPAddress.Parse("::ffff:192.0.2.1")));
    }
}
