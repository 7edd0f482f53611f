using System.Collections.Concurrent;
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
    private readonly ConcurrentQueue<(Peer Peer, PeerEvent Event)> _events = new();

    public ControlPath(WireGuardDevice device, IUdpTransport udp)
    {
        (_device, _udp) = (device, udp);
        _handshakes = new Handshakes(device);
        HandshakePath = new HandshakePath(device, udp, _handshakes);
    }

    /// <summary>The part of it that other threads may take over while many messages wait.</summary>
    public HandshakePath HandshakePath { get; }

    /// <summary>Does all that is due now.</summary>
    /// <returns>Device ticks at which to run again, if nothing wakes the control thread before.</returns>
    public long Run()
    {
        while (HandshakePath.HandleOne() | HandleAttention() | RunTimers()) RaiseEvents();
        RaiseEvents(); // those that another thread's handshakes left
        long next = _device.Timers.NextDeadline();
        return _device.Quiescence.Reclaim() ? next : Math.Min(next, _device.Now + ReclaimInterval);
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
            _events.Enqueue((peer, PeerEvent.HandshakeGivenUp));
            return;
        }
        peer.ForgetSource();
        Initiate(peer, InitiationCause.Retry);
        _events.Enqueue((peer, PeerEvent.HandshakeRetried));
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

    /// <summary>A response came in. Under the control lock.</summary>
    internal void SessionMade(Peer peer)
    {
        SessionReady(peer);
        // The first message on the session tells the responder that it may send on it.
        if (peer.Staged.IsEmpty) SendKeepalive(peer);
        else SendStaged(peer);
    }

    private void SessionReady(Peer peer)
    {
        peer.Timers.HandshakeDone();
        peer.HandshakeAttempts = 0;
        peer.LastMinuteHandshake = false;
        peer.NoteHandshake(_device.Clock.GetUtcNow());
        _events.Enqueue((peer, PeerEvent.SessionMade));
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

    /// <summary>With or without the control lock.</summary>
    internal void Send(Peer peer, ReadOnlySpan<byte> message)
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
        while (_events.TryDequeue(out var next)) _device.Raise(next.Peer, next.Event);
    }
}
