using System.Net;
using Mesh.Node.Paths;
using Mesh.Node.Udp;
using Mesh.Protocol.Control;

namespace Mesh.Node.Tests.Paths;

public sealed class OwnEndpointsTests
{
    [Fact]
    public void Given_endpoints_come_first_then_local_then_observed_each_once()
    {
        var all = OwnEndpoints.Collect(
            [UdpEndpoint.Parse("203.0.113.1:7000")], [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("fd00::1")], IPAddress.Parse("198.51.100.1"), 51820);
        Assert.Equal(
            [("203.0.113.1:7000", EndpointSource.Static), ("10.0.0.1:51820", EndpointSource.Local), ("[fd00::1]:51820", EndpointSource.Local),
                ("198.51.100.1:51820", EndpointSource.Observed)],
            all.Select(candidate => (candidate.Endpoint.ToString(), candidate.Source)).ToArray());
        Assert.Single(OwnEndpoints.Collect([], [IPAddress.Parse("10.0.0.1")], IPAddress.Parse("10.0.0.1"), 51820));
    }

    [Fact]
    public void A_coordinator_on_this_very_host_observes_nothing_of_use()
    {
        Assert.Empty(OwnEndpoints.Collect([], [], IPAddress.Loopback, 51820));
    }

    [Fact]
    public void No_more_are_told_than_the_channel_takes()
    {
        var local = Enumerable.Range(1, 100).Select(n => new IPAddress([10, 0, 0, (byte)n]));
        Assert.Equal(ControlLimits.EndpointsPerNode, OwnEndpoints.Collect([], local, null, 51820).Count);
    }
}
