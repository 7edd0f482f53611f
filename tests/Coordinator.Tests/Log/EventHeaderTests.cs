using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Tests.Log;

public sealed class EventHeaderTests
{
    private static readonly EventHeader Header = new(
        0x0102030405060708, DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123), EventKind.PolicySet,
        Actor.LocalAdmin(1000), IdempotencyKey.From("scope", "key"), Bytes32.Sha256Of("payload"u8));

    [Fact]
    public void A_header_reads_back_as_it_was_written()
    {
        var bytes = Header.Encode();
        Assert.Equal(EventHeader.Length, bytes.Length);
        Assert.True(EventHeader.TryDecode(bytes, out var read));
        Assert.Equal(Header, read);
    }

    [Fact]
    public void Every_byte_of_a_header_matters()
    {
        var bytes = Header.Encode();
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.True(!EventHeader.TryDecode(bytes, out var read) || read != Header, $"byte {i}");
            bytes[i] ^= 1;
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(EventHeader.Length - 1)]
    [InlineData(EventHeader.Length + 1)]
    public void A_header_of_another_length_is_refused(int length) =>
        Assert.False(EventHeader.TryDecode(new byte[length], out _));

    [Fact]
    public void An_impossible_time_is_refused()
    {
        var bytes = Header.Encode();
        bytes.AsSpan(9, 8).Fill(0x7f);
        Assert.False(EventHeader.TryDecode(bytes, out _));
    }

    [Fact]
    public void Idempotency_keys_of_two_scopes_never_meet() =>
        Assert.NotEqual(IdempotencyKey.From("a", "bc"), IdempotencyKey.From("ab", "c"));
}
