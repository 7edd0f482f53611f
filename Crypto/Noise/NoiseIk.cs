using System.Security.Cryptography;

namespace Mesh.Crypto.Noise;

/// <summary>
/// Noise_IK and Noise_IKpsk2 (25519, ChaChaPoly, BLAKE2s), one handshake from one side (Noise specification section 7.5):
/// <code>
///   &lt;- s
///   -&gt; e, es, s, ss        e (32) | sealed s (48) | sealed payload (n + 16)
///   &lt;- e, ee, se[, psk]    e (32) | sealed payload (n + 16)
/// </code>
/// A caller on the responding side reads the first message in two steps, so that it can look the initiator up in between.
/// Every method returns false when a message is too short, a tag does not hold or a shared secret is all zero; the handshake is
/// void then, but for <see cref="TryReadSecond"/>, and its caller disposes of it.
/// </summary>
public sealed class NoiseIk : IDisposable
{
    public const int FirstMessageOverhead = 32 + 48 + 16;
    public const int SecondMessageOverhead = 32 + 16;

    private SymmetricState _state;
    private readonly bool _psk;
    private X25519PrivateKey? _ephemeral;
    private X25519PublicKey _remoteEphemeral;

    private NoiseIk(NoiseProtocol protocol, in X25519PublicKey responderStatic)
    {
        ArgumentNullException.ThrowIfNull(protocol);
        _psk = protocol.HasPsk;
        _state = new SymmetricState(protocol.ChainingKey, protocol.Hash);
        _state.MixHash(responderStatic.AsSpan());
    }

    /// <summary>The initiator's static key as the first message carried it.</summary>
    public X25519PublicKey RemoteStatic { get; private set; }

    public ReadOnlySpan<byte> HandshakeHash => _state.HandshakeHash;

    public static NoiseIk Initiator(NoiseProtocol protocol, in X25519PublicKey responderStatic) => new(protocol, responderStatic);

    public static NoiseIk Responder(NoiseProtocol protocol, X25519PrivateKey local)
    {
        ArgumentNullException.ThrowIfNull(local);
        return new(protocol, local.PublicKey);
    }

    /// <summary>Initiator: writes the first message.</summary>
    /// <param name="ephemeral">Fresh; owned by this handshake from now on.</param>
    /// <param name="staticStatic">DH of the two static keys, 32 bytes, not all zero, which a caller may keep for a pair of keys.</param>
    /// <param name="message">payload length + 96 bytes.</param>
    public bool TryWriteFirst(X25519PrivateKey ephemeral, X25519PrivateKey local, in X25519PublicKey responderStatic,
        ReadOnlySpan<byte> staticStatic, ReadOnlySpan<byte> payload, Span<byte> message)
    {
        ArgumentNullException.ThrowIfNull(ephemeral);
        ArgumentNullException.ThrowIfNull(local);
        _ephemeral = ephemeral;
        MixEphemeral(ephemeral.PublicKey);
        ephemeral.PublicKey.AsSpan().CopyTo(message);
        if (!TryMixAgreement(ephemeral, responderStatic)) return false;
        _state.EncryptAndHash(local.PublicKey.AsSpan(), message[32..80]);
        _state.MixKey(staticStatic);
        _state.EncryptAndHash(payload, message[80..]);
        return true;
    }

    /// <summary>Responder, step one: learns who the initiator claims to be. Costs one DH.</summary>
    public bool TryReadFirstStatic(X25519PrivateKey local, ReadOnlySpan<byte> message)
    {
        ArgumentNullException.ThrowIfNull(local);
        if (message.Length < FirstMessageOverhead) return false;
        _remoteEphemeral = new X25519PublicKey(message[..32]);
        MixEphemeral(_remoteEphemeral);
        Span<byte> remote = stackalloc byte[X25519PublicKey.Length];
        if (!TryMixAgreement(local, _remoteEphemeral) || !_state.TryDecryptAndHash(message[32..80], remote)) return false;
        RemoteStatic = new X25519PublicKey(remote);
        return true;
    }

    /// <summary>Responder, step two: the initiator is who it claims to be, and this is its payload.</summary>
    /// <param name="staticStatic">DH of the two static keys, 32 bytes, not all zero.</param>
    /// <param name="message">The same message as in step one.</param>
    /// <param name="payload">Message length - 96.</param>
    public bool TryReadFirstPayload(ReadOnlySpan<byte> staticStatic, ReadOnlySpan<byte> message, Span<byte> payload)
    {
        if (message.Length < FirstMessageOverhead) return false;
        _state.MixKey(staticStatic);
        return _state.TryDecryptAndHash(message[80..], payload);
    }

    /// <summary>Responder: writes the second message. <see cref="Split"/> may follow.</summary>
    /// <param name="ephemeral">Fresh; owned by this handshake from now on.</param>
    /// <param name="presharedKey">32 bytes; zeroes for none. Empty where the protocol has no psk.</param>
    public bool TryWriteSecond(X25519PrivateKey ephemeral, ReadOnlySpan<byte> presharedKey, ReadOnlySpan<byte> payload, Span<byte> message)
    {
        ArgumentNullException.ThrowIfNull(ephemeral);
        _ephemeral = ephemeral;
        MixEphemeral(ephemeral.PublicKey);
        ephemeral.PublicKey.AsSpan().CopyTo(message);
        if (!TryMixAgreement(ephemeral, _remoteEphemeral) || !TryMixAgreement(ephemeral, RemoteStatic)) return false;
        if (_psk) _state.MixKeyAndHash(presharedKey);
        _state.EncryptAndHash(payload, message[32..]);
        return true;
    }

    /// <summary>
    /// Initiator: reads the second message. <see cref="Split"/> may follow. One that does not hold leaves the handshake as it
    /// was: whoever saw the first message can forge the second, and must not end the handshake by it.
    /// </summary>
    /// <param name="presharedKey">32 bytes; zeroes for none. Empty where the protocol has no psk.</param>
    /// <param name="payload">Message length - 48.</param>
    public bool TryReadSecond(X25519PrivateKey local, ReadOnlySpan<byte> presharedKey, ReadOnlySpan<byte> message, Span<byte> payload)
    {
        ArgumentNullException.ThrowIfNull(local);
        if (_ephemeral is null) throw new InvalidOperationException("the first message was not written");
        if (message.Length < SecondMessageOverhead) return false;
        SymmetricState before = _state;
        _state = before.Clone();
        var remote = new X25519PublicKey(message[..32]);
        MixEphemeral(remote);
        if (TryMixAgreement(_ephemeral, remote) && TryMixAgreement(local, remote))
        {
            if (_psk) _state.MixKeyAndHash(presharedKey);
            if (_state.TryDecryptAndHash(message[32..], payload))
            {
                before.Dispose();
                return true;
            }
        }
        _state.Dispose();
        _state = before;
        return false;
    }

    /// <summary>The transport keys, 32 bytes each.</summary>
    public void Split(Span<byte> initiatorKey, Span<byte> responderKey) => _state.Split(initiatorKey, responderKey);

    public void Dispose()
    {
        _state.Dispose();
        _ephemeral?.Dispose();
    }

    /// <summary>Patterns with a psk mix the ephemeral key into the chain as well (Noise section 9.2).</summary>
    private void MixEphemeral(in X25519PublicKey key)
    {
        _state.MixHash(key.AsSpan());
        if (_psk) _state.MixChainingKey(key.AsSpan());
    }

    private bool TryMixAgreement(X25519PrivateKey local, in X25519PublicKey remote)
    {
        Span<byte> shared = stackalloc byte[SecretKey.Length];
        if (!local.TryAgree(remote, shared)) return false;
        _state.MixKey(shared);
        CryptographicOperations.ZeroMemory(shared);
        return true;
    }
}
