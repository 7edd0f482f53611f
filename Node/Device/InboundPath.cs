using System.Runtime.CompilerServices;
using Mesh.Crypto;
using Mesh.Node.Offload;
using Mesh.Node.Tun;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>
/// From the peers to the host, for one queue. One thread runs it, beside those of the other queues, and takes a batch to its end before
/// it takes the next. It waits for another only where both take in messages of one session or note new flows that moment, and
/// allocates nothing, but for a peer that moved.
/// <code>
///   recvmmsg -> type -> index -> session -> age, counter -> open in place -> replay window -> roam, timers
///                 \                            -> length, source is the peer's, policy, ECN -> coalesce -> TUN write
///                  \-> handshake message: queued for the control thread
/// </code>
/// Messages of one session that stand behind each other are opened together.
/// </summary>
internal sealed unsafe class InboundPath : IDisposable
{
    private const int SlotLength = 65_535;
    private const int Slots = 64;

    // About so many are a batch, whether they come one or many to a slot: what waits in the socket waits no longer for it, what
    // is decrypted is still in a near cache when it is written, and a program's socket has room for it.
    private const int BatchDatagrams = 64;

    // Opened together while they are in the nearest cache.
    private const int OpenPackets = 16;

    private readonly WireGuardDevice _device;
    private readonly int _queue;
    private readonly IUdpQueue _udp;
    private readonly Quiescence.Section _section;
    private readonly UdpReceiveBatch _batch = new(Slots, SlotLength);
    private readonly Coalescer _coalescer;
    private readonly AeadPacket[] _toOpen = new AeadPacket[OpenPackets];
    private Keypair? _opensUnder;
    private int _toOpenCount;
    private IpAddressBits _lastSource;
    private Peer? _lastOwner;

    /// <param name="queue">Its number, from 0.</param>
    public InboundPath(WireGuardDevice device, int queue, ITunQueue tun, IUdpQueue udp)
    {
        (_device, _queue, _udp) = (device, queue, udp);
        _coalescer = new Coalescer(tun);
        _section = device.Quiescence.AddPath();
    }

    /// <summary>Packets of the last run that were delivered, but for those of TCP.</summary>
    public int Datagrams { get; private set; }

    /// <summary>Takes the datagrams that wait, up to a batch, all the way.</summary>
    /// <returns>False when none waited.</returns>
    /// <exception cref="TunException">The interface is gone.</exception>
    public bool Run()
    {
        _section.Enter();
        try
        {
            int slots = _udp.ReceiveBatch(_batch);
            if (slots == 0) return false;
            Datagrams = 0;
            long now = _device.Now;
            int taken = 0;
            for (int i = 0; i < slots; i++) taken += HandleSlot(i, now);
            _coalescer.Flush();
            if (_coalescer.TakeRefused() is var refused and > 0) _device.Drops.Add(DropReason.TunRefused, refused);
            _batch.Limit = Math.Clamp(slots * BatchDatagrams / taken, 1, Slots);
            return true;
        }
        finally
        {
            (_opensUnder, _toOpenCount, _lastOwner) = (null, 0, null);
            _section.Exit();
        }
    }

    public void Dispose()
    {
        _batch.Dispose();
        _coalescer.Dispose();
    }

    /// <summary>The datagrams of a slot came from one sender, one behind the other.</summary>
    /// <returns>How many they were.</returns>
    private int HandleSlot(int slot, long now)
    {
        Span<byte> data = _batch.Datagram(slot);
        int size = _batch.SegmentSize(slot);
        ref readonly UdpEndpoint source = ref _batch.Endpoint(slot);
        int ecn = _batch.Ecn(slot);
        // The slot's memory is native.
        byte* message = (byte*)Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetReference(data));
        int left = data.Length, count = 0;
        do
        {
            int length = Math.Min(size, left);
            if (Handle(message, length, source, ecn, now) is { } dropped) _device.Drops.Add(dropped);
            message += length;
            left -= length;
            count++;
        }
        while (left > 0);
        Open(source, ecn, now);
        return count;
    }

    private DropReason? Handle(byte* message, int length, in UdpEndpoint source, int ecn, long now)
    {
        if (length < sizeof(uint)) return DropReason.MessageLength;
        switch ((MessageType)Unsafe.ReadUnaligned<uint>(message))
        {
            case MessageType.Transport:
                return HandleTransport(message, length, source, ecn, now);
            case MessageType.Initiation:
                return length == InitiationLayout.Length ? HandleHandshake(new ReadOnlySpan<byte>(message, length), source) : DropReason.MessageLength;
            case MessageType.Response:
                return length == ResponseLayout.Length ? HandleHandshake(new ReadOnlySpan<byte>(message, length), source) : DropReason.MessageLength;
            case MessageType.CookieReply:
                return length == CookieReplyLayout.Length ? HandleHandshake(new ReadOnlySpan<byte>(message, length), source) : DropReason.MessageLength;
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

    /// <summary>Takes a message among those that will be opened, if it may be good.</summary>
    private DropReason? HandleTransport(byte* message, int length, in UdpEndpoint source, int ecn, long now)
    {
        if (length < TransportLayout.MinLength) return DropReason.MessageLength;
        uint index = Unsafe.ReadUnaligned<uint>(message + TransportLayout.Receiver);
        Keypair? keypair = _opensUnder;
        if (keypair is null || keypair.LocalIndex != index)
        {
            if (_device.Indices.Find(index) is not Keypair found) return DropReason.UnknownIndex;
            keypair = found;
        }
        ulong counter = Unsafe.ReadUnaligned<ulong>(message + TransportLayout.Counter);
        if (now - keypair.CreatedAt >= Timing.RejectAfterTime.Ticks || counter >= Timing.RejectAfterMessages)
            return DropReason.SessionExpired;
        if (!keypair.MayAccept(counter)) return DropReason.Replayed;
        if (_opensUnder != keypair || _toOpenCount == OpenPackets)
        {
            Open(source, ecn, now);
            _opensUnder = keypair;
        }
        _toOpen[_toOpenCount++] = new AeadPacket(message + TransportLayout.HeaderLength, length - TransportLayout.HeaderLength, counter);
        return null;
    }

    /// <summary>Opens the messages that were taken, all of one sender, and lets the authentic ones go on.</summary>
    private void Open(in UdpEndpoint source, int ecn, long now)
    {
        if (_toOpenCount == 0) return;
        Span<AeadPacket> packets = _toOpen.AsSpan(0, _toOpenCount);
        Keypair keypair = _opensUnder!;
        _toOpenCount = 0;
        TransportAead.Open(keypair.ReceiveKey, packets);
        uint accepted = keypair.Accept(packets, out bool isNewest);
        // The first of a session has it used for sending, before its packet can be answered.
        if (accepted != 0) Accepted(keypair, source, isNewest, now);
        long bytes = 0;
        int data = 0;
        for (int i = 0; i < packets.Length; i++)
        {
            ref readonly AeadPacket packet = ref packets[i];
            if (!packet.IsAuthentic) _device.Drops.Add(DropReason.TransportInvalid);
            else if ((accepted >> i & 1) == 0) _device.Drops.Add(DropReason.Replayed);
            else
            {
                bytes += packet.Length + TransportLayout.HeaderLength;
                int length = packet.Length - TransportLayout.TagLength;
                if (length == 0) continue; // a keepalive
                data++;
                if (Deliver(keypair.Peer, packet.Destination, length, ecn, now) is { } dropped) _device.Drops.Add(dropped);
            }
        }
        if (accepted == 0) return;
        keypair.Peer.AddReceived(bytes);
        // Once for the first and once for all others: it only counts whether more came.
        for (int i = 0; i < Math.Min(data, 2); i++) keypair.Peer.Timers.DataReceived(now);
    }

    /// <summary>An authentic message came in on the session.</summary>
    private void Accepted(Keypair keypair, in UdpEndpoint source, bool isNewest, long now)
    {
        Peer peer = keypair.Peer;
        if (peer.Keypairs.IsNext(keypair) && peer.Keypairs.TryPromote(keypair)) _device.SessionConfirmed(peer);
        // What waited in another queue while the peer moved does not tell where it is now.
        if (isNewest) peer.Roam(source);
        peer.Timers.AnyReceived(now);
        if (!keypair.IsInitiator || now - keypair.CreatedAt < Timing.RekeyOnReceiveAfter.Ticks || peer.LastMinuteHandshake) return;
        peer.LastMinuteHandshake = true;
        _device.RequestHandshake(peer);
    }

    private DropReason? Deliver(Peer peer, byte* packet, int padded, int ecn, long now)
    {
        if (!InnerPacket.TryGetSource(new ReadOnlySpan<byte>(packet, padded), out IpAddressBits from, out int length)) return DropReason.InnerMalformed;
        if (_lastOwner is null || from != _lastSource) (_lastSource, _lastOwner) = (from, _device.AllowedIps.Lookup(from));
        if (_lastOwner != peer) return DropReason.InnerSource;
        if (_device.Filter is { } filter && filter.JudgeInbound(_queue, peer, new ReadOnlySpan<byte>(packet, length), now) is { } refused) return refused;
        if (!Ecn.TryCombine(packet, ecn)) return DropReason.Congestion;
        if (!InnerPacket.IsTcp(new ReadOnlySpan<byte>(packet, length))) Datagrams++;
        _coalescer.Add(packet, length);
        return null;
    }
}
