using System.Buffers.Binary;
using Mesh.Crypto;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>
/// From a handshake message to its answer. The control thread runs it and, while several messages wait, other threads beside
/// it: an answer costs four operations on the curve and little else, so they share the work as far as there are cores.
/// </summary>
internal sealed class HandshakePath(WireGuardDevice device, IUdpTransport udp, Handshakes handshakes)
{
    /// <summary>Takes the message that has waited longest all the way.</summary>
    /// <returns>False when none waits.</returns>
    public bool HandleOne()
    {
        Span<byte> message = stackalloc byte[InitiationLayout.Length];
        int length = device.HandshakeQueue.Take(message, out UdpEndpoint source);
        if (length == 0) return false;
        if (Consume(message[..length], source) is { } reason) device.Drops.Add(reason);
        return true;
    }

    private DropReason? Consume(ReadOnlySpan<byte> message, in UdpEndpoint source)
    {
        var type = (MessageType)BinaryPrimitives.ReadUInt32LittleEndian(message);
        if (type == MessageType.CookieReply)
        {
            lock (device.ControlLock) return handshakes.ConsumeCookieReply(message);
        }

        bool loaded = device.HandshakeGate.IsLoaded(device.Now);
        ReadOnlySpan<byte> covered = message[..^(2 * Blake2s.MacLength)];
        if (device.Identity.FindByMac1(covered, message.Slice(covered.Length, Blake2s.MacLength)) is not { } local || !local.TryUse())
            return DropReason.Mac1;
        try
        {
            if (loaded && Refuse(local, message, source) is { } reason) return reason;
            return type == MessageType.Initiation ? ConsumeInitiation(local, message, source) : ConsumeResponse(message, source);
        }
        finally
        {
            local.Release();
        }
    }

    /// <summary>Under load, only who returns a cookie is worth the price of an answer, and so often.</summary>
    private DropReason? Refuse(StaticIdentity local, ReadOnlySpan<byte> message, in UdpEndpoint source)
    {
        Span<byte> reply = stackalloc byte[CookieReplyLayout.Length];
        lock (device.ControlLock)
        {
            switch (device.HandshakeGate.Admit(message, source, device.Now))
            {
                case HandshakeAdmission.Admit: return null;
                case HandshakeAdmission.TooMany: return DropReason.SourceRate;
            }
            device.HandshakeGate.WriteCookieReply(local, message, source, device.Now, reply);
        }
        udp.Send(reply, source);
        return DropReason.CookieAsked;
    }

    private DropReason? ConsumeInitiation(StaticIdentity local, ReadOnlySpan<byte> message, in UdpEndpoint source)
    {
        Span<byte> response = stackalloc byte[ResponseLayout.Length];
        if (handshakes.ConsumeInitiation(local, message, response, out Peer? peer) is { } dropped) return dropped;
        NoteReceived(peer!, message.Length, source);
        device.Control.Send(peer!, response);
        return null;
    }

    private DropReason? ConsumeResponse(ReadOnlySpan<byte> message, in UdpEndpoint source)
    {
        lock (device.ControlLock)
        {
            if (handshakes.ConsumeResponse(message, out Peer? peer) is { } dropped) return dropped;
            NoteReceived(peer!, message.Length, source);
            device.Control.SessionMade(peer!);
        }
        device.WakeControl(); // an event may be left for it to raise
        return null;
    }

    private void NoteReceived(Peer peer, int length, in UdpEndpoint source)
    {
        peer.Roam(source);
        peer.AddReceived(length);
        peer.Timers.AnyReceived(device.Now);
    }
}
