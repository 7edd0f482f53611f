using Mesh.Crypto;
using Mesh.Node.Kernel;
using Mesh.Node.Offload;
using Mesh.Node.Tun;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>
/// From the host to the peers, for one queue. One thread runs it, beside those of the other queues, and takes a batch to its end
/// before it takes the next. It waits for another only where both note new flows or stage packets of one peer that moment, and
/// allocates nothing.
/// <code>
///   TUN read -> allowed IPs -> policy -> session -> counters -> cut up, checksum -> seal into the send arena ... -> one sendmmsg
///                                           \-> none: staged, and the control thread is asked for a handshake
/// </code>
/// A superpacket is looked up and counted once. What it is cut into is copied (and summed up) into the arena and sealed there;
/// a packet of its own is sealed from where it was read to.
/// </summary>
internal sealed unsafe class OutboundPath : IDisposable
{
    private const int MaxPacket = 65_535;
    private const int MaxMessage = MaxPacket + TransportLayout.Overhead + TransportLayout.PaddingMultiple;

    // Bytes that are sent at the latest, so that the first need not wait for all; what the far end does meanwhile, it does at once.
    private const int FlushBytes = 96 * 1024;
    private const int BatchPackets = 256;

    // A superpacket's worth more than where it is sent: so much is added at once. 65,535 bytes in segments of one
    // byte would be more; they are sent in between.
    private const int SendBytes = FlushBytes + (2 * MaxMessage);
    private const int ReadBytes = 4 * (MaxMessage + 64);

    // Sealed together while they are in the nearest cache.
    private const int SealPackets = 16;

    private readonly WireGuardDevice _device;
    private readonly ITunQueue _tun;
    private readonly IUdpQueue _udp;
    private readonly Quiescence.Section _section;
    private readonly NativeBuffer _read = new(ReadBytes);
    private readonly UdpSendBatch _batch = new(BatchPackets, SendBytes);
    private readonly Peer?[] _peers = new Peer?[BatchPackets];
    private readonly AeadPacket[] _toSeal = new AeadPacket[SealPackets];
    private Keypair? _sealsUnder;
    private int _toSealCount;

    public OutboundPath(WireGuardDevice device, ITunQueue tun, IUdpQueue udp)
    {
        (_device, _tun, _udp) = (device, tun, udp);
        _section = device.Quiescence.AddPath();
    }

    /// <summary>Packets of the last run but for those of TCP.</summary>
    public int Datagrams { get; private set; }

    /// <summary>Whether no more waited at the end of the last run.</summary>
    public bool TookAll { get; private set; }

    /// <summary>Takes the packets that wait, up to a batch, all the way.</summary>
    /// <returns>False when none waited.</returns>
    /// <exception cref="TunException">The interface is gone.</exception>
    public bool Run()
    {
        _section.Enter();
        try
        {
            long now = _device.Now;
            int mtu = _device.Mtu;
            int packets = 0;
            (Datagrams, TookAll) = (0, false);
            _batch.MaxSegments = _udp.MaxSegments;
            for (int used = 0; packets < BatchPackets && ReadBytes - used >= MaxMessage && _batch.Bytes < FlushBytes; packets++)
            {
                byte* packet = _read.Address + used;
                int length = _tun.Read(new Span<byte>(packet, MaxPacket), out VirtioNetHeader header);
                TookAll = length == 0;
                if (TookAll) break;
                Handle(packet, length, header, mtu, now);
                // The next one begins behind this one's padding.
                used += (length + TransportLayout.PaddingMultiple + 63) & ~63;
            }
            Flush();
            return packets > 0;
        }
        finally
        {
            // Also when the interface is gone: what was not sent is not to be sealed again.
            (_sealsUnder, _toSealCount) = (null, 0);
            _batch.Clear();
            _section.Exit();
        }
    }

    public void Dispose()
    {
        _batch.Dispose();
        _read.Dispose();
    }

    private void Handle(byte* packet, int length, in VirtioNetHeader header, int mtu, long now)
    {
        Segmenter segmenter = default;
        if (!InnerPacket.TryGetDestination(new ReadOnlySpan<byte>(packet, length), out IpAddressBits destination)
            || !(header.IsSuperpacket ? Segmenter.TryBegin(packet, length, header, out segmenter) : Segmenter.TryCompleteChecksum(packet, length, header)))
        {
            _device.Drops.Add(DropReason.OutboundMalformed);
            return;
        }
        int count = header.IsSuperpacket ? segmenter.Count : 1;
        if (!InnerPacket.IsTcp(new ReadOnlySpan<byte>(packet, length))) Datagrams += count;
        if (_device.AllowedIps.Lookup(destination) is not { } peer)
        {
            _device.Drops.Add(DropReason.NoRoute, count);
            return;
        }
        if (_device.Filter is { } filter && filter.JudgeOutbound(peer, new ReadOnlySpan<byte>(packet, length), now) is { } refused)
        {
            _device.Drops.Add(refused, count);
            return;
        }
        if (peer.EndpointBox is not { } endpoint || peer.Keypairs.Current is not { } keypair || !WireGuardDevice.IsUsable(keypair, now))
        {
            Stage(peer, packet, length, header.IsSuperpacket, segmenter);
            _device.RequestHandshake(peer);
            return;
        }
        if (InnerPacket.IsUdp(new ReadOnlySpan<byte>(packet, length))
            && InnerPacket.IsUdpTo(new ReadOnlySpan<byte>(packet, length), endpoint.Value, _udp.Port))
        {
            _device.Drops.Add(DropReason.RoutingLoop, count);
            return;
        }
        ulong counter = peer.Staged.IsEmpty ? keypair.TakeCounters(count) : ulong.MaxValue;
        if (counter > Timing.RejectAfterMessages - (ulong)count)
        {
            // Behind those that wait already, or on the next session.
            Stage(peer, packet, length, header.IsSuperpacket, segmenter);
            _device.RequestSending(peer);
            return;
        }
        int ecn = Ecn.Of(packet);
        long bytes = 0;
        if (header.IsSuperpacket)
        {
            for (int i = 0; i < count; i++)
            {
                byte* message = Reserve(segmenter.FullLength);
                byte* plaintext = message + TransportLayout.HeaderLength;
                bytes += Append(keypair, counter + (ulong)i, plaintext, segmenter.Write(i, plaintext), mtu, peer, endpoint, ecn);
            }
        }
        else
        {
            Reserve(length);
            bytes = Append(keypair, counter, packet, length, mtu, peer, endpoint, ecn);
        }
        peer.AddSent(bytes);
        peer.Timers.DataSent(now);
        peer.Timers.AnySent(now);
        if (WireGuardDevice.IsDueForRekey(keypair, counter + (ulong)count - 1, now)) _device.RequestHandshake(peer);
    }

    /// <summary>Makes sure of room for one more message in the arena.</summary>
    /// <returns>Where it begins.</returns>
    private byte* Reserve(int length)
    {
        if (_batch.Count == BatchPackets || _batch.Next.Length < length + TransportLayout.Overhead + TransportLayout.PaddingMultiple) Flush();
        return _batch.NextAddress;
    }

    /// <summary>Adds a message to the arena that will be sealed, from where the packet stands, before it is sent.</summary>
    /// <param name="packet">With room for padding behind it.</param>
    /// <returns>The message's length.</returns>
    private int Append(Keypair keypair, ulong counter, byte* packet, int length, int mtu, Peer peer, EndpointBox endpoint, int ecn)
    {
        if (_toSealCount == SealPackets || _sealsUnder != keypair) Seal();
        int padding = TransportMessage.Padding(length, mtu);
        new Span<byte>(packet + length, padding).Clear();
        length += padding;
        byte* message = _batch.NextAddress;
        TransportMessage.WriteHeader(message, keypair, counter);
        _sealsUnder = keypair;
        _toSeal[_toSealCount++] = new AeadPacket(packet, message + TransportLayout.HeaderLength, length, counter);
        _batch.Commit(length + TransportLayout.Overhead, endpoint.Value, ecn);
        _peers[_batch.RunCount - 1] = peer;
        return length + TransportLayout.Overhead;
    }

    private void Seal()
    {
        if (_toSealCount > 0) TransportAead.Seal(_sealsUnder!.SendKey, _toSeal.AsSpan(0, _toSealCount));
        _toSealCount = 0;
    }

    private void Stage(Peer peer, byte* packet, int length, bool isSuperpacket, in Segmenter segmenter)
    {
        if (!isSuperpacket)
        {
            peer.Staged.Add(new ReadOnlySpan<byte>(packet, length));
            return;
        }
        for (int i = 0; i < segmenter.Count; i++)
        {
            byte* room = Reserve(segmenter.FullLength);
            peer.Staged.Add(new ReadOnlySpan<byte>(room, segmenter.Write(i, room)));
        }
    }

    private void Flush()
    {
        Seal();
        if (_batch.Count == 0) return;
        int failed = _batch.Count - _udp.SendBatch(_batch);
        if (failed > 0) _device.Drops.Add(DropReason.SendFailed, failed);
        for (int i = 0; i < _batch.RunCount; i++)
        {
            if (_batch.Run(i).Result == UdpSendResult.SentWithoutSource) _peers[i]!.ForgetSource();
            _peers[i] = null;
        }
        _batch.Clear();
        _batch.MaxSegments = _udp.MaxSegments;
    }
}
