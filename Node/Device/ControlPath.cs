using System.Buffers.Binary;
using Mesh.Crypto;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>
/// All that is not a packet: handshake messages, timers, peers that want a session, keys that wait to be zeroed. One thread
/// runs it; it holds the device's control lock while it changes anything, an item at a time.
/// </summary>
internal sealed class ControlPath
{
    private static readonly long ReclaimInterval = TimeSpan.FromMilliseconds(10).Ticks;

    private readonly WireGuardDevice _device;
    private readonly IUdpTransport _udp;
    private readonly Handshakes _handshakes;
    private readonly byte[] _message = new byte[65_535 + TransportLayout.Overhead + TransportLayout.PaddingMultiple];
    private readonly List<(Peer Peer, PeerEvent Event)> _events = [];

    public ControlPath(WireGuardDevice device, IUdpTransport udp)
    {
        (_device, _udp) = (device, udp);
        _handshakes = new Handshakes(device);
    }

    /// <summary>Does all that is due now.</summary>
    /// <returns>Device ticks at which to run again, if nothing wakes the control thread before.</returns>
    public long Run()
    {
        while (HandleHandshakeMessage() | HandleAttention() | RunTimers()) RaiseEvents();
        long next = _device.Timers.NextDeadline();
        return _device.Quiescence.Reclaim() ? next : Math.Min(next, _device.Now + ReclaimInterval);
    }

    private bool HandleHandshakeMessage()
    {
        Span<byte> message = stackalloc byte[InitiationLayout.Length];
        int length = _device.HandshakeQueue.Take(message, out UdpEndpoint source);
        if (length == 0) return false;
        lock (_device.ControlLock)
        {
            if (Consume(message[..length], source) is { } reason) _device.Drops.Add(reason);
        }
        return true;
    }

    private DropReason? Consume(ReadOnlySpan<byte> message, in UdpEndpoint source)
    {
        var type = (MessageType)BinaryPrimitives.ReadUInt32LittleEndian(message);
        if (type == MessageType.CookieReply) return _handshakes.ConsumeCookieReply(message);

        bool loaded = _device.HandshakeGate.IsLoaded(_device.Now);
        ReadOnlySpan<byte> covered = message[..^(2 * Blake2s.MacLength)];
        if (_device.Identity.FindByMac1(covered, message.Slice(covered.Length, Blake2s.MacLength)) is not { } local) return DropReason.Mac1;
        switch (loaded ? _device.HandshakeGate.Admit(message, source, _device.Now) : HandshakeAdmission.Admit)
        {
            case HandshakeAdmission.AskForCookie:
                Span<byte> reply = stackalloc byte[CookieReplyLayout.Length];
                _device.HandshakeGate.WriteCookieReply(local, message, source, _device.Now, reply);
                _udp.Send(reply, source);
                return DropReason.CookieAsked;
            case HandshakeAdmission.TooMany:
                return DropReason.SourceRate;
            default:
                return type == MessageType.Initiation ? ConsumeInitiation(local, message, source) : ConsumeResponse(message, source);
        }
    }

    private DropReason? ConsumeInitiation(StaticIdentity local, ReadOnlySpan<byte> message, in UdpEndpoint source)
    {
        Span<byte> response = stackalloc byte[ResponseLayout.Length];
        if (_handshakes.ConsumeInitiation(local, message, response, out Peer? peer) is { } dropped) return dropped;
        peer!.Roam(source);
        peer.AddReceived(message.Length);
        peer.Timers.SessionMade(_device.Now);
        peer.Timers.AnyReceived(_device.Now);
        Send(peer, response);
        return null;
    }

    private DropReason? ConsumeResponse(ReadOnlySpan<byte> message, in UdpEndpoint source)
    {
        if (_handshakes.ConsumeResponse(message, out Peer? peer) is { } dropped) return dropped;
        peer!.Roam(source);
        peer.AddReceived(message.Length);
        peer.Timers.SessionMade(_device.Now);
        peer.Timers.AnyReceived(_device.Now);
        SessionReady(peer);
        // The first message on the session tells the responder that it may send on it.
        if (peer.Staged.IsEmpty) SendKeepalive(peer);
        else SendStaged(peer);
        return null;
    }

    private bool HandleAttention()
    {
        if (!_device.Attention.TryDequeue(out Peer? peer)) return false;
        lock (_device.ControlLock)
        {
            peer.ReleaseAttention();
            if (peer.IsRemoved)
            {
                // What the outbound path staged while the peer was taken from under its hands.
                peer.Staged.Clear(DropReason.NoRoute);
                return true;
            }
            if (peer.TakeConfirmation()) SessionReady(peer);
            bool wanted = peer.TakeHandshakeWish();
            if (!peer.Staged.IsEmpty)
            {
                if (peer.HasSession && peer.EndpointBox is not null) SendStaged(peer);
                else wanted = true;
            }
            if (wanted) Initiate(peer, InitiationCause.Wish);
        }
        return true;
    }

    private bool RunTimers()
    {
        long now = _device.Now;
        if (_device.Timers.TakeDue(now) is not { } peer) return false;
        lock (_device.ControlLock)
        {
            if (peer.IsRemoved) return true;
            PeerTimers timers = peer.Timers;
            if (timers.TakeRetransmit(now)) Retransmit(peer, now);
            if (timers.TakeKeepalive(now)) SendKeepalive(peer);
            if (timers.TakeNewHandshake(now))
            {
                peer.ForgetSource();
                Initiate(peer, InitiationCause.Wish);
            }
            if (timers.TakeZeroKeys(now))
            {
                // A handshake that is out is younger than the keys, and packets may wait for it.
                if (!timers.IsHandshaking) _device.EndHandshake(peer);
                peer.Keypairs.Clear();
            }
            if (timers.TakePersistent(now)) SendKeepalive(peer);
            timers.Reschedule();
        }
        return true;
    }

    private void Retransmit(Peer peer, long now)
    {
        if (peer.HandshakeAttempts > Timing.MaxAttempts)
        {
            _device.EndHandshake(peer);
            peer.Staged.Clear(peer.EndpointBox is null ? DropReason.NoEndpoint : DropReason.HandshakeFailed);
            peer.Timers.GivenUp(now);
            _events.Add((peer, PeerEvent.HandshakeGivenUp));
            return;
        }
        peer.ForgetSource();
        Initiate(peer, InitiationCause.Retry);
        _events.Add((peer, PeerEvent.HandshakeRetried));
    }

    /// <summary>Sends an initiation, unless one is out already. Under the control lock.</summary>
    internal void Initiate(Peer peer, InitiationCause cause)
    {
        if (cause == InitiationCause.Wish)
        {
            if (peer.Timers.IsHandshaking) return;
            peer.HandshakeAttempts = 0;
        }
        if (cause is InitiationCause.Wish or InitiationCause.Retry) peer.HandshakeAttempts++;
        // Without an endpoint or a key the attempts run as well: one may come, and packets must not wait for ever.
        Span<byte> initiation = stackalloc byte[InitiationLayout.Length];
        if (peer.EndpointBox is not null && _handshakes.TryCreateInitiation(peer, initiation)) Send(peer, initiation);
        peer.Timers.InitiationSent(_device.Now);
    }

    private void SessionReady(Peer peer)
    {
        peer.Timers.HandshakeDone();
        peer.HandshakeAttempts = 0;
        peer.LastMinuteHandshake = false;
        peer.NoteHandshake(_device.Clock.GetUtcNow());
        _events.Add((peer, PeerEvent.SessionMade));
    }

    private void SendStaged(Peer peer)
    {
        long now = _device.Now;
        while (!peer.Staged.IsEmpty && peer.Keypairs.Current is { } keypair && WireGuardDevice.IsUsable(keypair, now))
        {
            ulong counter = keypair.TakeCounter();
            if (counter >= Timing.RejectAfterMessages) return;
            int length = peer.Staged.Take(_message.AsSpan(TransportLayout.HeaderLength));
            if (length == 0) return;
            peer.Timers.DataSent(now);
            SendTransport(peer, keypair, counter, length);
        }
    }

    /// <summary>An empty message on the session; without a session, a handshake, which does as well.</summary>
    private void SendKeepalive(Peer peer)
    {
        if (!peer.Staged.IsEmpty && peer.HasSession)
        {
            SendStaged(peer);
            return;
        }
        if (peer.Keypairs.Current is { } keypair && WireGuardDevice.IsUsable(keypair, _device.Now)
            && keypair.TakeCounter() is var counter and < Timing.RejectAfterMessages)
            SendTransport(peer, keypair, counter, length: 0);
        else Initiate(peer, InitiationCause.Wish);
    }

    private void SendTransport(Peer peer, Keypair keypair, ulong counter, int length)
    {
        int messageLength = TransportMessage.Seal(keypair, counter, _message, length, _device.Mtu);
        Send(peer, _message.AsSpan(0, messageLength));
        if (WireGuardDevice.IsDueForRekey(keypair, counter, _device.Now)) Initiate(peer, InitiationCause.Wish);
    }

    private void Send(Peer peer, ReadOnlySpan<byte> message)
    {
        if (peer.EndpointBox is not { } endpoint) return;
        peer.Timers.AnySent(_device.Now);
        peer.AddSent(message.Length);
        switch (_udp.Send(message, endpoint.Value))
        {
            case UdpSendResult.Sent:
                break;
            case UdpSendResult.SentWithoutSource:
                peer.ForgetSource();
                break;
            default:
                _device.Drops.Add(DropReason.SendFailed);
                break;
        }
    }

    /// <summary>Outside the lock: who listens may call back into the device.</summary>
    private void RaiseEvents()
    {
        foreach ((Peer peer, PeerEvent what) in _events) _device.Raise(peer, what);
        _events.Clear();
    }
}
