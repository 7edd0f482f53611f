using Mesh.Node.Tun;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>
/// From the host to the peers. One thread runs it, and takes a batch to its end before it takes the next; nothing here
/// waits for another thread, takes a lock or allocates.
/// <code>
///   TUN read -> allowed IPs -> policy -> session -> counter -> seal in place -> send slot ... -> one sendmmsg
///                                           \-> none: staged, and the control thread is asked for a handshake
/// </code>
/// </summary>
internal sealed class OutboundPath : IDisposable
{
    private const int BatchPackets = 64;
    private const int MaxPacket = 65_535;
    private const int SlotLength = MaxPacket + TransportLayout.Overhead + TransportLayout.PaddingMultiple;

    private readonly WireGuardDevice _device;
    private readonly ITunDevice _tun;
    private readonly IUdpTransport _udp;
    private readonly Quiescence.Section _section;
    private readonly UdpSendBatch _batch = new(BatchPackets, SlotLength);
    private readonly Peer?[] _peers = new Peer?[BatchPackets];

    public OutboundPath(WireGuardDevice device, ITunDevice tun, IUdpTransport udp)
    {
        (_device, _tun, _udp) = (device, tun, udp);
        _section = device.Quiescence.AddPath();
    }

    /// <summary>Takes the packets that wait, up to a batch, all the way.</summary>
    /// <returns>False when none waited.</returns>
    /// <exception cref="TunException">The interface is gone.</exception>
    public bool Run()
    {
        _section.Enter();
        try
        {
            long now = _device.Now;
            int mtu = _tun.Mtu;
            int packets = 0;
            for (; packets < BatchPackets; packets++)
            {
                Span<byte> slot = _batch.Next;
                int length = _tun.Read(slot.Slice(TransportLayout.HeaderLength, MaxPacket));
                if (length == 0) break;
                Handle(slot, length, mtu, now);
            }
            Flush();
            return packets > 0;
        }
        finally
        {
            _section.Exit();
        }
    }

    public void Dispose() => _batch.Dispose();

    private void Handle(Span<byte> slot, int length, int mtu, long now)
    {
        ReadOnlySpan<byte> packet = slot.Slice(TransportLayout.HeaderLength, length);
        if (!InnerPacket.TryGetDestination(packet, out IpAddressBits destination))
        {
            _device.Drops.Add(DropReason.OutboundMalformed);
            return;
        }
        if (_device.AllowedIps.Lookup(destination) is not { } peer)
        {
            _device.Drops.Add(DropReason.NoRoute);
            return;
        }
        if (_device.Filter is { } filter && filter.JudgeOutbound(peer, packet, now) is { } refused)
        {
            _device.Drops.Add(refused);
            return;
        }
        if (peer.EndpointBox is not { } endpoint || peer.Keypairs.Current is not { } keypair || !WireGuardDevice.IsUsable(keypair, now))
        {
            peer.Staged.Add(packet);
            _device.RequestHandshake(peer);
            return;
        }
        if (InnerPacket.IsUdp(packet) && InnerPacket.IsUdpTo(packet, endpoint.Value, _udp.Port))
        {
            _device.Drops.Add(DropReason.RoutingLoop);
            return;
        }
        ulong counter = peer.Staged.IsEmpty ? keypair.TakeCounter() : ulong.MaxValue;
        if (counter >= Timing.RejectAfterMessages)
        {
            // Behind those that wait already, or on the next session.
            peer.Staged.Add(packet);
            _device.RequestSending(peer);
            return;
        }
        int messageLength = TransportMessage.Seal(keypair, counter, slot, length, mtu);
        _peers[_batch.Count] = peer;
        _batch.Commit(messageLength, endpoint.Value);
        peer.AddSent(messageLength);
        peer.Timers.DataSent(now);
        peer.Timers.AnySent(now);
        if (WireGuardDevice.IsDueForRekey(keypair, counter, now)) _device.RequestHandshake(peer);
    }

    private void Flush()
    {
        if (_batch.Count == 0) return;
        if (_udp.SendBatch(_batch) < _batch.Count) CountFailures();
        for (int i = 0; i < _batch.Count; i++)
        {
            if (_batch.Result(i) == UdpSendResult.SentWithoutSource) _peers[i]!.ForgetSource();
            _peers[i] = null;
        }
        _batch.Clear();
    }

    private void CountFailures()
    {
        for (int i = 0; i < _batch.Count; i++)
            if (_batch.Result(i) is not (UdpSendResult.Sent or UdpSendResult.SentWithoutSource)) _device.Drops.Add(DropReason.SendFailed);
    }
}
