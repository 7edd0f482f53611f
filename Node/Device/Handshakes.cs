using System.Buffers.Binary;
using System.Security.Cryptography;
using Mesh.Crypto;
using Mesh.Crypto.Noise;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>
/// Making and consuming handshake messages (paper section 5.4), under the device's control lock where nothing else is said.
/// Nothing of a peer changes before the message is proven authentic and new.
/// </summary>
internal sealed class Handshakes(WireGuardDevice device)
{
    /// <param name="message">148 bytes.</param>
    /// <returns>False when there is no key to send under, or the peer's is of low order: nothing may be sent.</returns>
    public bool TryCreateInitiation(Peer peer, Span<byte> message)
    {
        if (Choose(peer) is not var (local, remote)) return false;
        device.EndHandshake(peer);
        if (!remote.TryGetStaticStatic(local, out ReadOnlySpan<byte> staticStatic)) return false;

        Span<byte> stamp = stackalloc byte[Tai64N.Length];
        device.InitiationClock.Next().Write(stamp);
        var noise = NoiseIk.Initiator(NoiseProtocol.WireGuard, remote.PublicKey);
        if (!noise.TryWriteFirst(device.Ephemerals.Take(), local.PrivateKey, remote.PublicKey, staticStatic, stamp,
            message.Slice(InitiationLayout.Noise, InitiationLayout.NoiseLength)))
        {
            noise.Dispose();
            return false;
        }
        var handshake = new OutgoingHandshake(peer, local, remote, noise);
        device.Indices.Add(handshake);
        peer.Handshake = handshake;

        BinaryPrimitives.WriteUInt32LittleEndian(message, (uint)MessageType.Initiation);
        BinaryPrimitives.WriteUInt32LittleEndian(message[InitiationLayout.Sender..], handshake.LocalIndex);
        remote.Macs.Write(message, device.Now);
        return true;
    }

    /// <summary>
    /// The keys to try: the current ones first. While either end changes its key, each further attempt tries another pair: what one
    /// end has heard of the change, the other may not have.
    /// </summary>
    private (StaticIdentity Local, RemoteIdentity Remote)? Choose(Peer peer)
    {
        if (device.Identity.Current is not { } current || peer.Identities is not [var first, ..]) return null;
        int attempt = Math.Max(peer.HandshakeAttempts - 1, 0);
        StaticIdentity local = current;
        if (device.Identity.Previous is { } other)
        {
            if (attempt % 2 == 1) local = other;
            attempt /= 2;
        }
        return (local, peer.Identities is [_, var second] && attempt % 2 == 1 ? second : first);
    }

    /// <summary>
    /// Makes a session of an initiation, as responder. Called without the control lock, by several threads at once: what costs,
    /// the curve, is computed outside of it.
    /// <code>
    ///   unlocked  es                       who claims to be speaking
    ///   locked    ss (kept), payload       it is that peer, and this is new
    ///   unlocked  e, ee, se, psk           the response
    ///   locked    session, mac             if the peer and both keys are still there, and no newer initiation came
    /// </code>
    /// </summary>
    /// <param name="local">The key that the sender knows us by, in use by the caller.</param>
    /// <param name="response">92 bytes, written when nothing is dropped.</param>
    public DropReason? ConsumeInitiation(StaticIdentity local, ReadOnlySpan<byte> message, Span<byte> response, out Peer? peer)
    {
        peer = null;
        ReadOnlySpan<byte> first = message.Slice(InitiationLayout.Noise, InitiationLayout.NoiseLength);
        using var noise = NoiseIk.Responder(NoiseProtocol.WireGuard, local.PrivateKey);
        if (!noise.TryReadFirstStatic(local.PrivateKey, first)) return DropReason.HandshakeInvalid;

        RemoteIdentity? remote;
        Tai64N stamp;
        Span<byte> psk = stackalloc byte[SecretKey.Length];
        lock (device.ControlLock)
        {
            if (Admit(local, noise, first, out remote, out stamp) is { } dropped) return dropped;
            remote!.Peer.CopyPresharedKey(psk);
        }
        bool ok = noise.TryWriteSecond(device.Ephemerals.Take(), psk, default,
            response.Slice(ResponseLayout.Noise, ResponseLayout.NoiseLength));
        CryptographicOperations.ZeroMemory(psk);
        if (!ok) return DropReason.HandshakeInvalid;

        uint remoteIndex = BinaryPrimitives.ReadUInt32LittleEndian(message[InitiationLayout.Sender..]);
        Peer sender = remote.Peer;
        var keypair = new Keypair(sender, isInitiator: false, remoteIndex, device.Now) { AnsweredAs = remote };
        noise.Split(keypair.ReceiveKey, keypair.SendKey);
        lock (device.ControlLock)
        {
            bool isStill = device.FindIdentity(remote.PublicKey) == remote && device.Identity.Contains(local);
            if (!isStill || stamp != sender.LastStamp)
            {
                keypair.Zero();
                return isStill ? DropReason.InitiationReplayed : DropReason.UnknownPeer;
            }
            device.Indices.Add(keypair);
            sender.Keypairs.Add(keypair);
            sender.Timers.SessionMade(device.Now);
            BinaryPrimitives.WriteUInt32LittleEndian(response, (uint)MessageType.Response);
            BinaryPrimitives.WriteUInt32LittleEndian(response[ResponseLayout.Sender..], keypair.LocalIndex);
            BinaryPrimitives.WriteUInt32LittleEndian(response[ResponseLayout.Receiver..], remoteIndex);
            remote.Macs.Write(response, device.Now);
        }
        peer = sender;
        return null;
    }

    /// <summary>Finds who speaks, and takes the initiation's time stamp if it is authentic and new. Under the control lock.</summary>
    private DropReason? Admit(StaticIdentity local, NoiseIk noise, ReadOnlySpan<byte> first, out RemoteIdentity? remote, out Tai64N stamp)
    {
        stamp = default;
        remote = device.FindIdentity(noise.RemoteStatic);
        if (remote is null) return DropReason.UnknownPeer;
        Span<byte> stampBytes = stackalloc byte[Tai64N.Length];
        if (!remote.TryGetStaticStatic(local, out ReadOnlySpan<byte> staticStatic)
            || !noise.TryReadFirstPayload(staticStatic, first, stampBytes))
            return DropReason.HandshakeInvalid;

        Peer sender = remote.Peer;
        stamp = Tai64N.Read(stampBytes);
        if (stamp <= sender.LastStamp) return DropReason.InitiationReplayed;
        long now = device.Now;
        if (now - sender.LastInitiationReceived < Timing.InitiationInterval.Ticks) return DropReason.InitiationFlood;
        sender.LastStamp = stamp;
        sender.LastInitiationReceived = now;
        return null;
    }

    /// <summary>Makes a session of the response to our initiation.</summary>
    public DropReason? ConsumeResponse(ReadOnlySpan<byte> message, out Peer? peer)
    {
        peer = null;
        if (device.Indices.Find(BinaryPrimitives.ReadUInt32LittleEndian(message[ResponseLayout.Receiver..])) is not OutgoingHandshake handshake)
            return DropReason.UnknownIndex;

        Span<byte> psk = stackalloc byte[SecretKey.Length];
        handshake.Peer.CopyPresharedKey(psk);
        bool ok = handshake.Noise.TryReadSecond(handshake.Local.PrivateKey, psk,
            message.Slice(ResponseLayout.Noise, ResponseLayout.NoiseLength), default);
        CryptographicOperations.ZeroMemory(psk);
        if (!ok) return DropReason.HandshakeInvalid;

        uint remoteIndex = BinaryPrimitives.ReadUInt32LittleEndian(message[ResponseLayout.Sender..]);
        var keypair = new Keypair(handshake.Peer, isInitiator: true, remoteIndex, device.Now);
        handshake.Noise.Split(keypair.SendKey, keypair.ReceiveKey);
        device.Indices.Replace(handshake, keypair);
        peer = handshake.Peer;
        peer.Handshake = null;
        handshake.Dispose();
        peer.Keypairs.Add(keypair);
        peer.Timers.SessionMade(device.Now);
        return null;
    }

    /// <summary>Takes in the cookie that a peer under load asks us to come back with.</summary>
    public DropReason? ConsumeCookieReply(ReadOnlySpan<byte> message)
    {
        RemoteIdentity? remote = device.Indices.Find(BinaryPrimitives.ReadUInt32LittleEndian(message[CookieReplyLayout.Receiver..])) switch
        {
            OutgoingHandshake handshake => handshake.Remote,
            Keypair { AnsweredAs: { } identity } => identity,
            _ => null,
        };
        if (remote is null) return DropReason.UnknownIndex;
        return remote.Macs.TryTakeCookie(message, device.Now) ? null : DropReason.CookieInvalid;
    }
}
