using System.Buffers.Binary;
using System.Net;
using Mesh.Crypto;
using Mesh.Crypto.Noise;
using Mesh.Node.Tests.Device;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Fuzz;

/// <summary>
/// A peer gone bad: it has a key that the victim knows and can say anything inside valid handshakes and under valid tags. It
/// speaks the protocol by itself, message by message, so that each field can be anything before it is sealed.
/// </summary>
internal sealed class Attacker : IDisposable
{
    public static readonly byte[] LowOrder = [1, .. new byte[31]];

    private readonly UdpReceiveBatch _batch = new(64, 65_535);
    private readonly Random _random;
    private readonly LabNode _victim;
    private readonly byte[] _cookie = new byte[Blake2s.MacLength];
    private byte[] _lastMac1 = new byte[Blake2s.MacLength];
    private NoiseIk? _initiation;
    private ulong _stamp;
    private bool _hasCookie;

    public Attacker(DeviceLab lab, LabNode victim, Random random)
    {
        (_victim, _random) = (victim, random);
        Udp = lab.Network.Attach(666, Address);
        Stranger = lab.Network.Attach(667, IPAddress.Parse("198.51.100.77"));
    }

    public static IPAddress Address { get; } = IPAddress.Parse("198.51.100.66");

    public static UdpEndpoint Endpoint { get; } = UdpEndpoint.From(Address, 666);

    public X25519PrivateKey Key { get; } = X25519PrivateKey.Generate();

    /// <summary>Under the attacker's address as the victim knows it.</summary>
    public FakeUdpTransport Udp { get; }

    /// <summary>Somewhere else.</summary>
    public FakeUdpTransport Stranger { get; }

    public byte[] PresharedKey { get; set; } = new byte[32];

    /// <summary>What the victim sent it last, by type.</summary>
    public Dictionary<MessageType, byte[]> Heard { get; } = [];

    /// <summary>Sessions that it has made, newest last.</summary>
    public List<Session> Sessions { get; } = [];

    public static bool HasMac1(ReadOnlySpan<byte> message, params ReadOnlySpan<X25519PublicKey> receivers)
    {
        if (message.Length is not (InitiationLayout.Length or ResponseLayout.Length)) return false;
        ReadOnlySpan<byte> covered = message[..^(2 * Blake2s.MacLength)];
        foreach (ref readonly X25519PublicKey receiver in receivers)
            if (new Mac1Key(receiver).Verify(covered, message.Slice(covered.Length, Blake2s.MacLength))) return true;
        return false;
    }

    /// <summary>Reads what the victim sent, as an honest end would.</summary>
    public void Listen()
    {
        foreach (FakeUdpTransport transport in (FakeUdpTransport[])[Udp, Stranger])
        {
            while (transport.ReceiveBatch(_batch) > 0)
                for (int i = 0; i < _batch.Count; i++) Hear(_batch.Datagram(i));
        }
    }

    /// <summary>An initiation in which each field may be wrong, though all that seals it is right.</summary>
    public byte[] Initiation()
    {
        using X25519PrivateKey unknown = X25519PrivateKey.Generate();
        X25519PrivateKey local = _random.Next(8) == 0 ? unknown : Key;
        byte[] staticStatic = new byte[32];
        if (!local.TryAgree(_victim.Key.PublicKey, staticStatic) || _random.Next(12) == 0) _random.NextBytes(staticStatic);
        byte[] stamp = new byte[Tai64N.Length];
        _random.NextBytes(stamp);
        if (_random.Next(6) != 0) BinaryPrimitives.WriteUInt64BigEndian(stamp, _random.Next(5) == 0 ? Mutator.Edge(_random) : 0x400000000000000a + 2_000_000_000 + _stamp++);
        byte[] message = new byte[InitiationLayout.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(message, (uint)MessageType.Initiation);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(InitiationLayout.Sender), (uint)Mutator.Edge(_random));
        _initiation?.Dispose();
        _initiation = NoiseIk.Initiator(NoiseProtocol.WireGuard, _victim.Key.PublicKey);
        Assert.True(_initiation.TryWriteFirst(X25519PrivateKey.Generate(), local, _victim.Key.PublicKey, staticStatic, stamp,
            message.AsSpan(InitiationLayout.Noise, InitiationLayout.NoiseLength)));
        if (_random.Next(16) == 0) LowOrder.CopyTo(message, InitiationLayout.Noise);
        return Sign(message);
    }

    /// <summary>A response to the victim's newest initiation, if it sent one; the session stands when the victim takes it.</summary>
    public byte[]? Response()
    {
        if (!Heard.TryGetValue(MessageType.Initiation, out byte[]? initiation)) return null;
        ReadOnlySpan<byte> first = initiation.AsSpan(InitiationLayout.Noise, InitiationLayout.NoiseLength);
        using var noise = NoiseIk.Responder(NoiseProtocol.WireGuard, Key);
        byte[] staticStatic = new byte[32];
        if (!noise.TryReadFirstStatic(Key, first) || !Key.TryAgree(noise.RemoteStatic, staticStatic)
            || !noise.TryReadFirstPayload(staticStatic, first, new byte[Tai64N.Length])) return null;
        byte[] message = new byte[ResponseLayout.Length];
        byte[] psk = [.. PresharedKey];
        if (_random.Next(8) == 0) psk[_random.Next(32)] ^= 1;
        Assert.True(noise.TryWriteSecond(X25519PrivateKey.Generate(), psk, default, message.AsSpan(ResponseLayout.Noise, ResponseLayout.NoiseLength)));
        BinaryPrimitives.WriteUInt32LittleEndian(message, (uint)MessageType.Response);
        uint index = (uint)Mutator.Edge(_random);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(ResponseLayout.Sender), index);
        initiation.AsSpan(InitiationLayout.Sender, 4).CopyTo(message.AsSpan(ResponseLayout.Receiver));
        if (_random.Next(16) == 0) message[ResponseLayout.Receiver + _random.Next(4)] ^= (byte)(1 << _random.Next(8));
        if (_random.Next(16) == 0) LowOrder.CopyTo(message, ResponseLayout.Noise);
        var session = new Session(BinaryPrimitives.ReadUInt32LittleEndian(initiation.AsSpan(InitiationLayout.Sender)));
        noise.Split(session.ReceiveKey, session.SendKey);
        Keep(session);
        return Sign(message);
    }

    /// <summary>A transport message of a session, with this plaintext under a valid tag, and a counter that may be anything.</summary>
    public byte[]? Transport(ReadOnlySpan<byte> plaintext)
    {
        if (Sessions.Count == 0) return null;
        Session session = Sessions[_random.Next(4) == 0 ? _random.Next(Sessions.Count) : ^1];
        ulong counter = _random.Next(6) switch
        {
            0 => Mutator.Edge(_random) & 0xffff,
            1 when _random.Next(8) == 0 => Mutator.Edge(_random),
            2 => session.NextCounter + (ulong)_random.Next(10_000),
            _ => session.NextCounter,
        };
        if (counter is >= 1 << 20 and < ulong.MaxValue - (1 << 20)) counter &= 0xffff; // a valid one would end the session for good
        if (counter < 1 << 20) session.NextCounter = Math.Max(session.NextCounter, counter + 1);
        byte[] message = new byte[plaintext.Length + TransportLayout.Overhead];
        BinaryPrimitives.WriteUInt32LittleEndian(message, (uint)MessageType.Transport);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(TransportLayout.Receiver), session.RemoteIndex);
        BinaryPrimitives.WriteUInt64LittleEndian(message.AsSpan(TransportLayout.Counter), counter);
        ChaCha20Poly1305.Seal(session.SendKey, counter, plaintext, default, message.AsSpan(TransportLayout.HeaderLength));
        return message;
    }

    /// <summary>A cookie reply to the victim's newest handshake message.</summary>
    public byte[]? CookieReply()
    {
        if (!Heard.TryGetValue(_random.Next(2) == 0 ? MessageType.Initiation : MessageType.Response, out byte[]? asked)) return null;
        byte[] message = new byte[CookieReplyLayout.Length];
        byte[] cookie = new byte[16];
        _random.NextBytes(cookie);
        BinaryPrimitives.WriteUInt32LittleEndian(message, (uint)MessageType.CookieReply);
        asked.AsSpan(4, 4).CopyTo(message.AsSpan(CookieReplyLayout.Receiver));
        _random.NextBytes(message.AsSpan(CookieReplyLayout.Nonce, 24));
        byte[] mac1 = asked[^32..^16];
        if (_random.Next(4) == 0) mac1[_random.Next(16)] ^= 1;
        new CookieKey(Key.PublicKey).Seal(message.AsSpan(CookieReplyLayout.Nonce, 24), cookie, mac1, message.AsSpan(CookieReplyLayout.Cookie, 32));
        return message;
    }

    /// <summary>Writes the macs of a handshake message anew, so that only who looks behind them drops it.</summary>
    public byte[] Sign(byte[] message)
    {
        if (message.Length is not (InitiationLayout.Length or ResponseLayout.Length)) return message;
        int mac1 = message.Length - 2 * Blake2s.MacLength, mac2 = message.Length - Blake2s.MacLength;
        new Mac1Key(_victim.Key.PublicKey).Compute(message.AsSpan(0, mac1), message.AsSpan(mac1, Blake2s.MacLength));
        _lastMac1 = message[mac1..mac2];
        if (_hasCookie && _random.Next(4) != 0) Blake2s.Mac(_cookie, message.AsSpan(0, mac2), message.AsSpan(mac2));
        else if (_random.Next(4) == 0) _random.NextBytes(message.AsSpan(mac2));
        return message;
    }

    public void Dispose()
    {
        _initiation?.Dispose();
        _batch.Dispose();
        Udp.Dispose();
        Stranger.Dispose();
        Key.Dispose();
    }

    private void Hear(ReadOnlySpan<byte> message)
    {
        var type = (MessageType)BinaryPrimitives.ReadUInt32LittleEndian(message);
        Heard[type] = message.ToArray();
        switch (type)
        {
            case MessageType.Response when _initiation is not null
                && _initiation.TryReadSecond(Key, PresharedKey, message.Slice(ResponseLayout.Noise, ResponseLayout.NoiseLength), default):
                var session = new Session(BinaryPrimitives.ReadUInt32LittleEndian(message[ResponseLayout.Sender..]));
                _initiation.Split(session.SendKey, session.ReceiveKey);
                Keep(session);
                break;
            case MessageType.CookieReply:
                _hasCookie |= new CookieKey(_victim.Key.PublicKey).TryOpen(message.Slice(CookieReplyLayout.Nonce, 24),
                    message.Slice(CookieReplyLayout.Cookie, 32), _lastMac1, _cookie);
                break;
        }
    }

    private void Keep(Session session)
    {
        Sessions.Add(session);
        if (Sessions.Count > 8) Sessions.RemoveAt(0);
    }

    /// <param name="remoteIndex">The victim's.</param>
    internal sealed class Session(uint remoteIndex)
    {
        public uint RemoteIndex { get; } = remoteIndex;

        public byte[] SendKey { get; } = new byte[32];

        public byte[] ReceiveKey { get; } = new byte[32];

        public ulong NextCounter { get; set; }
    }
}
