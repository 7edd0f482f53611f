using System.Buffers.Binary;
using Mesh.Node.Tun;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>
/// From the peers to the host. One thread runs it, and takes a batch to its end before it takes the next; nothing here
/// waits for another thread or allocates, but for a peer that moved.
/// <code>
///   recvmmsg -> type -> index -> session -> age, counter -> open in place -> replay window -> roam, timers
///                 \                            -> length, source is the peer's -> policy -> TUN write
///                  \-> handshake message: queued for the control thread
/// </code>
/// </summary>
internal sealed class InboundPath : IDisposable
{
    private const int BatchDatagrams = 64;
    private const int SlotLength = 65_535;

    private readonly WireGuardDevice _device;
    private readonly ITunDevice _tun;
    private readonly IUdpTransport _udp;
    private readonly Quiescence.Section _section;
    private readonly UdpReceiveBatch _batch = new(BatchDatagrams, SlotLength);

    public InboundPath(WireGuardDevice device, ITunDevice tun, IUdpTransport udp)
    {
        (_device, _tun, _udp) = (device, tun, udp);
        _section = device.Quiescence.AddPath();
    }

    /// <summary>Takes the datagrams that wait, up to a batch, all the way.</summary>
    /// <returns>False when none waited.</returns>
    /// <exception cref="TunException">The interface is gone.</exception>
    public bool Run()
    {
        _section.Enter();
        try
        {
            int datagrams = _udp.ReceiveBatch(_batch);
            if (datagrams == 0) return false;
            long now = _device.Now;
            for (int i = 0; i < datagrams; i++)
            {
                DropReason? dropped = Handle(_batch.Datagram(i), _batch.Endpoint(i), now);
                if (dropped is { } reason) _device.Drops.Add(reason);
            }
            return true;
        }
        finally
        {
            _section.Exit();
        }
    }

    public void Dispose() => _batch.Dispose();

    private DropReason? Handle(Span<byte> datagram, in UdpEndpoint source, long now)
    {
        if (datagram.Length < sizeof(uint)) return DropReason.MessageLength;
        switch ((MessageType)BinaryPrimitives.ReadUInt32LittleEndian(datagram))
        {
            case MessageType.Transport:
                return HandleTransport(datagram, source, now);
            case MessageType.Initiation:
                return datagram.Length == InitiationLayout.Length ? HandleHandshake(datagram, source) : DropReason.MessageLength;
            case MessageType.Response:
                return datagram.Length == ResponseLayout.Length ? HandleHandshake(datagram, source) : DropReason.MessageLength;
            case MessageType.CookieReply:
                return datagram.Length == CookieReplyLayout.Length ? HandleHandshake(datagram, source) : DropReason.MessageLength;
            default:
                return DropReason.MessageType;
        }
    }

    private DropReason? HandleHandshake(ReadOnlySpan<byte> message, in UdpEndpoint source)
    {
        if (!_device.HandshakeQueue.TryAdd(message, source)) return DropReason.HandshakeQueueFull;
        _device.WakeControl();
        return null;
    }

    private DropReason? HandleTransport(Span<byte> message, in UdpEndpoint source, long now)
    {
        if (message.Length < TransportLayout.MinLength) return DropReason.MessageLength;
        if (_device.Indices.Find(BinaryPrimitives.ReadUInt32LittleEndian(message[TransportLayout.Receiver..])) is not Keypair keypair)
            return DropReason.UnknownIndex;
        ulong counter = BinaryPrimitives.ReadUInt64LittleEndian(message[TransportLayout.Counter..]);
        if (now - keypair.CreatedAt >= Timing.RejectAfterTime.Ticks || counter >= Timing.RejectAfterMessages)
            return DropReason.SessionExpired;
        if (!keypair.Window.MayAccept(counter)) return DropReason.Replayed;
        if (!TransportMessage.TryOpen(keypair, counter, message)) return DropReason.TransportInvalid;
        if (!keypair.Window.TryAccept(counter)) return DropReason.Replayed;

        Peer peer = keypair.Peer;
        if (peer.Keypairs.IsNext(keypair) && peer.Keypairs.TryPromote(keypair)) _device.SessionConfirmed(peer);
        peer.Roam(source);
        peer.AddReceived(message.Length);
        peer.Timers.AnyReceived(now);
        if (keypair.IsInitiator && now - keypair.CreatedAt >= Timing.RekeyOnReceiveAfter.Ticks && !peer.LastMinuteHandshake)
        {
            peer.LastMinuteHandshake = true;
            _device.RequestHandshake(peer);
        }

        Span<byte> packet = message[TransportLayout.HeaderLength..^TransportLayout.TagLength];
        if (packet.IsEmpty) return null; // a keepalive
        peer.Timers.DataReceived(now);
        if (!InnerPacket.TryGetSource(packet, out IpAddressBits from, out int length)) return DropReason.InnerMalformed;
        if (_device.AllowedIps.Lookup(from) != peer) return DropReason.InnerSource;
        if (_device.Filter is { } filter && filter.JudgeInbound(peer, packet[..length], now) is { } refused) return refused;
        return _tun.Write(packet[..length]) ? null : DropReason.TunRefused;
    }
}
