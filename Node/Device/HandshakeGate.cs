using System.Buffers.Binary;
using System.Security.Cryptography;
using Mesh.Crypto;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>Whether a handshake message is worth the price of its curve operations.</summary>
internal enum HandshakeAdmission
{
    Admit,
    AskForCookie,
    TooMany,
}

/// <summary>
/// Guards the handshake against floods (paper section 5.3): while more messages wait than are looked at in time, only who
/// shows by a cookie that it receives at its source address is admitted, and so many a second of one source. The cookie
/// is a mac of the source under a secret that changes every two minutes, so that nothing is kept for who does not answer.
/// Used under the device's control lock, but for <see cref="IsLoaded"/>.
/// </summary>
internal sealed class HandshakeGate(HandshakeQueue queue)
{
    private readonly SourceRates _rates = new();
    private readonly byte[] _secret = new byte[Blake2s.HashLength];
    private long _secretGoodUntil;
    private long _loadedUntil;

    /// <summary>Whether more messages wait than are looked at in time, or did a moment ago. Ask for each message, valid or not.</summary>
    public bool IsLoaded(long now)
    {
        if (queue.Count >= Timing.LoadedQueue) Volatile.Write(ref _loadedUntil, now + Timing.LoadMemory.Ticks);
        return now < Volatile.Read(ref _loadedUntil);
    }

    /// <param name="message">A handshake message whose mac1 holds, under load.</param>
    public HandshakeAdmission Admit(ReadOnlySpan<byte> message, in UdpEndpoint source, long now)
    {
        Span<byte> cookie = stackalloc byte[Blake2s.MacLength];
        Span<byte> mac2 = stackalloc byte[Blake2s.MacLength];
        if (now >= _secretGoodUntil) return HandshakeAdmission.AskForCookie;
        Bake(source, cookie);
        Blake2s.Mac(cookie, message[..^Blake2s.MacLength], mac2);
        if (!CryptographicOperations.FixedTimeEquals(mac2, message[^Blake2s.MacLength..])) return HandshakeAdmission.AskForCookie;
        return _rates.TryTake(source, now) ? HandshakeAdmission.Admit : HandshakeAdmission.TooMany;
    }

    /// <param name="reply">64 bytes.</param>
    public void WriteCookieReply(StaticIdentity local, ReadOnlySpan<byte> message, in UdpEndpoint source, long now, Span<byte> reply)
    {
        if (now >= _secretGoodUntil)
        {
            RandomNumberGenerator.Fill(_secret);
            _secretGoodUntil = now + Timing.CookieLifetime.Ticks;
        }
        Span<byte> cookie = stackalloc byte[Blake2s.MacLength];
        Bake(source, cookie);
        BinaryPrimitives.WriteUInt32LittleEndian(reply, (uint)MessageType.CookieReply);
        message.Slice(InitiationLayout.Sender, sizeof(uint)).CopyTo(reply[CookieReplyLayout.Receiver..]);
        Span<byte> nonce = reply.Slice(CookieReplyLayout.Nonce, XChaCha20Poly1305.NonceLength);
        RandomNumberGenerator.Fill(nonce);
        ReadOnlySpan<byte> mac1 = message.Slice(message.Length - 2 * Blake2s.MacLength, Blake2s.MacLength);
        local.CookieKey.Seal(nonce, cookie, mac1, reply.Slice(CookieReplyLayout.Cookie, CookieReplyLayout.SealedCookieLength));
    }

    private void Bake(in UdpEndpoint source, Span<byte> cookie)
    {
        Span<byte> bytes = stackalloc byte[18];
        int length = source.WriteAddress(bytes);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[length..], (ushort)source.Port);
        Blake2s.Mac(_secret, bytes[..(length + sizeof(ushort))], cookie);
    }
}
