using Mesh.Node.Device;

namespace Mesh.Node.Tests.Device;

public sealed class TransportMessageTests
{
    [Theory]
    [InlineData(0, 1420, 0)]
    [InlineData(1, 1420, 15)]
    [InlineData(16, 1420, 0)]
    [InlineData(1415, 1420, 5)]
    [InlineData(1420, 1420, 0)]
    [InlineData(1408, 1420, 0)]
    [InlineData(577, 576, 15)]
    [InlineData(20, 0, 12)]
    public void Padding_fills_up_to_16_bytes_but_never_beyond_the_mtu(int length, int mtu, int padding) =>
        Assert.Equal(padding, TransportMessage.Padding(length, mtu));
}
