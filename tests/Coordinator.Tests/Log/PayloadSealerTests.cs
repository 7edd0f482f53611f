using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Tests.Log;

public sealed class PayloadSealerTests : IDisposable
{
    private static readonly NetworkId Network = NetworkId.New();
    private readonly PayloadSealer _sealer = new(Network, DataKey.New());

    public void Dispose() => _sealer.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5000)]
    public void A_payload_opens_where_it_was_sealed(int length)
    {
        var payload = new byte[length];
        Random.Shared.NextBytes(payload);
        Assert.Equal(payload, _sealer.Open(7, EventKind.PolicySet, _sealer.Seal(7, EventKind.PolicySet, payload)));
    }

    [Fact]
    public void A_payload_opens_nowhere_else()
    {
        var bytes = _sealer.Seal(7, EventKind.PolicySet, "payload"u8);
        Assert.Null(_sealer.Open(8, EventKind.PolicySet, bytes));
        Assert.Null(_sealer.Open(7, EventKind.NodeDeleted, bytes));
        using var key = DataKey.New();
        using var sameNetwork = new PayloadSealer(Network, key);
        Assert.Null(sameNetwork.Open(7, EventKind.PolicySet, bytes));
    }

    [Fact]
    public void Another_network_cannot_open_it_even_with_the_key()
    {
        var secret = new byte[DataKey.Length];
        Random.Shared.NextBytes(secret);
        using var one = new PayloadSealer(Network, new DataKey(secret));
        using var other = new PayloadSealer(NetworkId.New(), new DataKey(secret));
        Assert.Null(other.Open(1, EventKind.PolicySet, one.Seal(1, EventKind.PolicySet, "payload"u8)));
    }

    [Fact]
    public void A_changed_or_shortened_payload_does_not_open()
    {
        var bytes = _sealer.Seal(7, EventKind.PolicySet, "payload"u8);
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.Null(_sealer.Open(7, EventKind.PolicySet, bytes));
            bytes[i] ^= 1;
            Assert.Null(_sealer.Open(7, EventKind.PolicySet, bytes.AsSpan(0, i)));
        }
    }
}
