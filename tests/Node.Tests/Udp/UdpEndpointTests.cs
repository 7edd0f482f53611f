using System.Net;
using System.Runtime.CompilerServices;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Udp;

public class UdpEndpointTests
{
    [Theory]
    [InlineData("192.0.2.1:51820")]
    [InlineData("0.0.0.0:0")]
    [InlineData("255.255.255.255:65535")]
    [InlineData("[2001:db8::1]:51820")]
    [InlineData("[::1]:1")]
    [InlineData("[fe80::1%lo]:51820")]
    public void Text_survives_a_round_trip(string text)
    {
        UdpEndpoint endpoint = UdpEndpoint.Parse(text);

        Assert.Equal(text, endpoint.ToString());
        Assert.Equal(endpoint, UdpEndpoint.Parse(endpoint.ToString()));
    }

    [Theory]
    [InlineData("[::ffff:192.0.2.1]:7", "192.0.2.1:7")]
    [InlineData("[2001:DB8:0:0::1]:7", "[2001:db8::1]:7")]
    [InlineData("[fe80::1%1]:7", "[fe80::1%lo]:7")]
    [InlineData("[fe80::1%4000000000]:7", "[fe80::1%4000000000]:7")]
    [InlineData("[2001:db8::1%lo]:7", "[2001:db8::1]:7")]
    public void Other_spellings_are_brought_to_one(string text, string expected) =>
        Assert.Equal(expected, UdpEndpoint.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData(":")]
    [InlineData("192.0.2.1")]
    [InlineData("192.0.2.1:")]
    [InlineData("192.0.2.1:65536")]
    [InlineData("192.0.2.1:+1")]
    [InlineData("192.0.2.1: 1")]
    [InlineData("192.0.2:1")]
    [InlineData("192.0.2.010:1")]
    [InlineData("0x7f.0.0.1:1")]
    [InlineData("192.0.2.256:1")]
    [InlineData("192.0.2.1.:1")]
    [InlineData("example.org:1")]
    [InlineData("2001:db8::1:1")]
    [InlineData("[2001:db8::1]")]
    [InlineData("[2001:db8::1]1")]
    [InlineData("[2001:db8::1/64]:1")]
    [InlineData("[[::1]]:1")]
    [InlineData("[192.0.2.1]:1")]
    [InlineData("[fe80::1%]:1")]
    [InlineData("[fe80::1%nosuchinterface]:1")]
    [InlineData("[fe80::1%0]:1")]
    [InlineData("[]:1")]
    public void Anything_else_is_refused(string text)
    {
        Assert.False(UdpEndpoint.TryParse(text, out UdpEndpoint endpoint));
        Assert.True(endpoint.IsEmpty);
    }

    [Fact]
    public void Equality_is_over_the_remote_part()
    {
        UdpEndpoint plain = UdpEndpoint.Parse("192.0.2.1:51820");
        UdpEndpoint sticky = plain.WithSource(0, 0x0a000001, 7);

        Assert.Equal(plain, sticky);
        Assert.Equal(plain.GetHashCode(), sticky.GetHashCode());
        Assert.False(plain.EqualsWithSource(sticky));
        Assert.Equal(IPAddress.Parse("10.0.0.1"), sticky.ToSourceAddress());
        Assert.True(plain.EqualsWithSource(sticky.WithoutSource()));
        Assert.NotEqual(plain, plain.WithPort(1));
        Assert.NotEqual(UdpEndpoint.Parse("[fe80::1%1]:1"), UdpEndpoint.Parse("[fe80::1%2]:1"));
    }

    [Theory]
    [InlineData("192.0.2.1:51820", "C0000201")]
    [InlineData("[2001:db8::1]:51820", "20010DB8000000000000000000000001")]
    public void The_address_is_written_in_network_order(string text, string expected)
    {
        UdpEndpoint endpoint = UdpEndpoint.Parse(text);
        Span<byte> bytes = stackalloc byte[16];

        int length = endpoint.WriteAddress(bytes);

        Assert.Equal(expected, Convert.ToHexString(bytes[..length]));
        Assert.Equal(endpoint, UdpEndpoint.From(endpoint.ToIPEndPoint()));
    }

    [Fact]
    public void An_endpoint_takes_48_bytes_and_holds_no_reference()
    {
        Assert.Equal(48, Unsafe.SizeOf<UdpEndpoint>());
        Assert.False(RuntimeHelpers.IsReferenceOrContainsReferences<UdpEndpoint>());
    }
}
