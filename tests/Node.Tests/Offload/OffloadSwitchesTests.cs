using Mesh.Node.Cli;
using Mesh.Node.Offload;

namespace Mesh.Node.Tests.Offload;

public sealed class OffloadSwitchesTests
{
    [Theory]
    [InlineData(null, OffloadSet.All)]
    [InlineData(" ", OffloadSet.All)]
    [InlineData("none", OffloadSet.None)]
    [InlineData("udp-gso, udp-gro", OffloadSet.UdpGso | OffloadSet.UdpGro)]
    [InlineData("-udp-gro", OffloadSet.All & ~OffloadSet.UdpGro)]
    [InlineData("-TUN-UDP-GRO,-udp-gso", OffloadSet.TunGso | OffloadSet.TunTcpGro | OffloadSet.UdpGro)]
    [InlineData("all,-tun-gso", OffloadSet.All & ~OffloadSet.TunGso)]
    public void A_list_allows_what_it_names_or_all_but_that(string? list, OffloadSet expected) =>
        Assert.Equal(expected, OffloadSwitches.Parse(list));

    [Fact]
    public void A_name_that_is_none_is_told_with_those_that_are()
    {
        UserException e = Assert.Throws<UserException>(() => OffloadSwitches.Parse("udp-gso,gso"));
        Assert.Equal(ExitCode.Usage, e.Code);
        Assert.Contains("\"gso\"", e.Message, StringComparison.Ordinal);
        Assert.Contains("tun-tcp-gro", e.Next, StringComparison.Ordinal);
    }
}
