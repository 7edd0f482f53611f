using Mesh.Crypto.Noise;
using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests.Noise;

public sealed class NoiseIkTests : IDisposable
{
    private readonly X25519PrivateKey _initiator = new(Counting(32, 1));
    private readonly X25519PrivateKey _responder = new(Counting(32, 101));
    private readonly byte[] _staticStatic = new byte[32];
    private readonly byte[] _psk = Counting(32, 200);

    public NoiseIkTests() => Assert.True(_initiator.TryAgree(_responder.PublicKey, _staticStatic));

    public void Dispose()
    {
        _initiator.Dispose();
        _responder.Dispose();
    }

    /// <summary>WireGuard's initial chaining key and hash (paper section 5.4), computed with Python's hashlib.</summary>
    [Fact]
    public void WireGuard_starts_from_its_own_constants()
    {
        AssertHex("60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36", NoiseProtocol.WireGuard.ChainingKey);
        AssertHex("2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3", NoiseProtocol.WireGuard.Hash);
    }

    [Fact]
    public void Both_sides_end_with_the_same_keys_one_for_each_direction()
    {
        using var initiator = First(out byte[] first);
        using var responder = NoiseIk.Responder(NoiseProtocol.WireGuard, _responder);
        byte[] timestamp = new byte[12], second = new byte[48];
        Assert.True(responder.TryReadFirstStatic(_responder, first));
        Assert.Equal(_initiator.PublicKey, responder.RemoteStatic);
        Assert.True(responder.TryReadFirstPayload(_staticStatic, first, timestamp));
        Assert.Equal(Counting(12), timestamp);
        Assert.True(responder.TryWriteSecond(X25519PrivateKey.Generate(), _psk, default, second));
        Assert.True(initiator.TryReadSecond(_initiator, _psk, second, default));

        byte[] send = new byte[32], receive = new byte[32], responderReceive = new byte[32], responderSend = new byte[32];
        initiator.Split(send, receive);
        responder.Split(responderReceive, responderSend);
        Assert.Equal(send, responderReceive);
        Assert.Equal(receive, responderSend);
        Assert.NotEqual(send, receive);
    }

    [Fact]
    public void Another_preshared_key_ends_the_handshake()
    {
        using var initiator = First(out byte[] first);
        byte[] second = Answer(first);
        Assert.False(initiator.TryReadSecond(_initiator, new byte[32], second, default));
    }

    [Fact]
    public void A_message_for_another_responder_is_refused_before_anything_is_learnt()
    {
        using var initiator = First(out byte[] first);
        using var stranger = X25519PrivateKey.Generate();
        using var responder = NoiseIk.Responder(NoiseProtocol.WireGuard, stranger);
        Assert.False(responder.TryReadFirstStatic(stranger, first));
        Assert.True(responder.RemoteStatic.IsZero);
    }

    [Fact]
    public void Another_prologue_is_refused()
    {
        using var initiator = First(out byte[] first);
        var other = new NoiseProtocol("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s", "another"u8);
        using var responder = NoiseIk.Responder(other, _responder);
        Assert.False(responder.TryReadFirstStatic(_responder, first));
    }

    [Fact]
    public void An_initiator_that_only_claims_a_static_key_is_found_out()
    {
        using var initiator = First(out byte[] first);
        using var responder = NoiseIk.Responder(NoiseProtocol.WireGuard, _responder);
        Assert.True(responder.TryReadFirstStatic(_responder, first));
        Assert.False(responder.TryReadFirstPayload(Counting(32, 9), first, new byte[12]));
    }

    [Fact]
    public void A_changed_byte_anywhere_in_the_first_message_is_refused()
    {
        using var initiator = First(out byte[] first);
        for (int i = 0; i < first.Length; i++)
        {
            byte[] changed = [.. first];
            changed[i] ^= 1;
            using var responder = NoiseIk.Responder(NoiseProtocol.WireGuard, _responder);
            Assert.False(responder.TryReadFirstStatic(_responder, changed)
                && responder.TryReadFirstPayload(_staticStatic, changed, new byte[12]), $"byte {i}");
        }
    }

    [Fact]
    public void A_changed_byte_anywhere_in_the_second_message_is_refused()
    {
        for (int i = 0; i < NoiseIk.SecondMessageOverhead; i++)
        {
            using var initiator = First(out byte[] first);
            byte[] second = Answer(first);
            second[i] ^= 1;
            Assert.False(initiator.TryReadSecond(_initiator, _psk, second, default), $"byte {i}");
        }
    }

    [Fact]
    public void Ephemeral_keys_of_low_order_are_refused()
    {
        using var responder = NoiseIk.Responder(NoiseProtocol.WireGuard, _responder);
        Assert.False(responder.TryReadFirstStatic(_responder, new byte[108]));

        using var initiator = First(out _);
        Assert.False(initiator.TryReadSecond(_initiator, _psk, new byte[48], default));

        using var towardsZero = NoiseIk.Initiator(NoiseProtocol.WireGuard, default);
        Assert.False(towardsZero.TryWriteFirst(X25519PrivateKey.Generate(), _initiator, default, _staticStatic, default, new byte[96]));
    }

    [Fact]
    public void Messages_cut_short_are_refused()
    {
        using var initiator = First(out byte[] first);
        byte[] second = Answer(first);
        for (int length = 0; length < NoiseIk.FirstMessageOverhead; length++)
        {
            using var responder = NoiseIk.Responder(NoiseProtocol.WireGuard, _responder);
            Assert.False(responder.TryReadFirstStatic(_responder, first.AsSpan(0, length)));
            Assert.False(responder.TryReadFirstPayload(_staticStatic, first.AsSpan(0, length), default));
        }
        for (int length = 0; length < NoiseIk.SecondMessageOverhead; length++)
            Assert.False(initiator.TryReadSecond(_initiator, _psk, second.AsSpan(0, length), default));
    }

    [Fact]
    public void Protocols_that_are_not_spoken_are_refused() =>
        Assert.Throws<ArgumentException>(() => new NoiseProtocol("Noise_XX_25519_ChaChaPoly_BLAKE2s", default));

    /// <summary>The initiator's handshake after its first message, with the payload 00, 01, ... of 12 bytes.</summary>
    private NoiseIk First(out byte[] message)
    {
        var handshake = NoiseIk.Initiator(NoiseProtocol.WireGuard, _responder.PublicKey);
        message = new byte[12 + NoiseIk.FirstMessageOverhead];
        Assert.True(handshake.TryWriteFirst(X25519PrivateKey.Generate(), _initiator, _responder.PublicKey, _staticStatic, Counting(12), message));
        return handshake;
    }

    private byte[] Answer(byte[] first)
    {
        using var responder = NoiseIk.Responder(NoiseProtocol.WireGuard, _responder);
        byte[] second = new byte[NoiseIk.SecondMessageOverhead];
        Assert.True(responder.TryReadFirstStatic(_responder, first));
        Assert.True(responder.TryReadFirstPayload(_staticStatic, first, new byte[12]));
        Assert.True(responder.TryWriteSecond(X25519PrivateKey.Generate(), _psk, default, second));
        return second;
    }
}
