using System.Buffers.Binary;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Simulation;

/// <summary>
/// Watches the wire and the devices' tables. It opens what passes with the sender's own keys, so that it knows each packet,
/// and holds: no session is used past its time, no counter twice, tables hold nothing but what is alive, keys that nothing
/// needs are zero.
/// </summary>
internal sealed class Audit(World world)
{
    private const int ReplaysKept = 64;
    private const int KeptPart = 64; // one packet in so many is kept for replay

    private readonly Dictionary<UInt128, Probe> _underWay = [];
    private readonly Dictionary<Keypair, ulong> _lastCounters = [];
    private readonly Dictionary<UInt128, (byte[] Datagram, SimulatedNode To)> _candidates = [];
    private readonly Queue<(byte[] Datagram, SimulatedNode To)> _replays = new();
    private readonly byte[] _plain = new byte[70_000];

    public long Datagrams { get; private set; }

    public long Initiations { get; private set; }

    public long Losses { get; private set; }

    public long Misdirected { get; private set; }

    /// <summary>A datagram that its receiver took in long ago, if there is one: a replay of it must have no effect.</summary>
    public (byte[] Datagram, SimulatedNode To)? TakeReplay() => _replays.TryDequeue(out var replay) ? replay : null;

    public void Sent(in UdpEndpoint source, in UdpEndpoint destination, ReadOnlySpan<byte> datagram)
    {
        Datagrams++;
        int from = SimulatedNode.OwnerOf(source), to = SimulatedNode.OwnerOf(destination);
        if (from == 0) return; // a replay
        if (to == 0) throw world.Violation($"node {from} answered a stranger");
        switch ((MessageType)BinaryPrimitives.ReadUInt32LittleEndian(datagram))
        {
            case MessageType.Initiation:
                Initiations++;
                break;
            case MessageType.Response:
                break;
            case MessageType.Transport:
                Transport(world.Node(from), world.Node(to), datagram);
                break;
            default:
                throw world.Violation($"node {from} sent a message of type {datagram[0]}");
        }
    }

    /// <summary>The underlay did not deliver it.</summary>
    public void Lost(in UdpEndpoint source, in UdpEndpoint destination, ReadOnlySpan<byte> datagram)
    {
        int from = SimulatedNode.OwnerOf(source), to = SimulatedNode.OwnerOf(destination);
        if (from == 0) return;
        Losses++;
        SimulatedNode sender = world.Node(from), receiver = world.Node(to);
        Pair pair = world.PairOf(sender, receiver);
        // Sent to where the receiver no longer is: that is the sender's fault, once it can know better.
        if (receiver.IsUp && !receiver.IsAt(destination) && !pair.IsBlind && !world.IsCut(from, to))
        {
            Misdirected++;
            return;
        }
        bool transport = datagram[0] == (byte)MessageType.Transport;
        bool first = transport && BinaryPrimitives.ReadUInt64LittleEndian(datagram[TransportLayout.Counter..]) == 0;
        if (!transport || first || pair.IsLearning) pair.Disturb(world.Time.Now);
        if (transport && _underWay.TryGetValue(TagOf(datagram), out Probe? probe)) probe.IsLost = true;
    }

    public void Forget(Probe probe)
    {
        if (probe.Emitted is null) return;
        _underWay.Remove(probe.Tag);
        if (_candidates.Remove(probe.Tag, out var candidate) && !probe.IsLost && _replays.Count < ReplaysKept) _replays.Enqueue(candidate);
    }

    /// <summary>The device was disposed: nothing of its keys is left.</summary>
    public void NodeStopped(SimulatedNode node, WireGuardDevice device)
    {
        foreach (Keypair keypair in _lastCounters.Keys.Where(keypair => keypair.Peer.Device == device).ToList())
        {
            HoldsNoKeys(node, keypair);
            _lastCounters.Remove(keypair);
        }
        if (device.Indices.Count != 0) throw world.Violation($"node {node.Number} left {device.Indices.Count} indices behind");
        if (device.StagingBudget.Left != StagingBytes) throw world.Violation($"node {node.Number} left staged packets behind");
        foreach (Pair pair in world.PairsOf(node))
            foreach (Flow flow in pair.Flows.Where(flow => flow.From == node)) flow.WaitingGone();
    }

    /// <summary>Between two runs of the device: its tables hold what is alive, and only that.</summary>
    public void Sweep(SimulatedNode node)
    {
        if (node.Device is not { } device) return;
        var entries = device.Indices.Entries;
        foreach (var group in entries.GroupBy(entry => entry is Keypair keypair ? keypair.Peer : ((OutgoingHandshake)entry).Peer))
        {
            int sessions = group.Count(entry => entry is Keypair), handshakes = group.Count() - sessions;
            if (sessions > 3 || handshakes > 1 || group.Key.IsRemoved)
                throw world.Violation($"node {node.Number} holds {sessions} sessions and {handshakes} handshakes of peer {group.Key.Id}");
            if (handshakes == 1 && group.Key.Handshake is null) throw world.Violation($"node {node.Number} holds the index of a handshake that ended");
        }
        var alive = entries.OfType<Keypair>().ToHashSet();
        foreach (Keypair keypair in alive) _lastCounters.TryAdd(keypair, 0);
        foreach (Keypair keypair in _lastCounters.Keys.Where(keypair => keypair.Peer.Device == device && !alive.Contains(keypair)).ToList())
        {
            HoldsNoKeys(node, keypair);
            _lastCounters.Remove(keypair);
        }
        if (device.Quiescence.Waiting != 0) throw world.Violation($"node {node.Number} has {device.Quiescence.Waiting} sessions that wait to be zeroed");
        if (device.Peers.All(peer => peer.Staged.IsEmpty) && device.StagingBudget.Left != StagingBytes)
            throw world.Violation($"node {node.Number} counts {StagingBytes - device.StagingBudget.Left} staged bytes, and none is staged");
    }

    /// <summary>After a silence longer than everything lives, only settings are left.</summary>
    public void IsSilent(SimulatedNode node)
    {
        Sweep(node);
        if (node.Device is not { } device) return;
        if (device.Indices.Count != 0) throw world.Violation($"node {node.Number} holds {device.Indices.Count} indices after a long silence");
        if (device.StagingBudget.Left != StagingBytes) throw world.Violation($"node {node.Number} holds staged bytes after a long silence");
        if (_lastCounters.Keys.Any(keypair => keypair.Peer.Device == device)) throw world.Violation($"node {node.Number} holds keys after a long silence");
    }

    private static int StagingBytes => World.StagingBytes;

    private static UInt128 TagOf(ReadOnlySpan<byte> datagram) => BinaryPrimitives.ReadUInt128BigEndian(datagram[^TransportLayout.TagLength..]);

    private void Transport(SimulatedNode from, SimulatedNode to, ReadOnlySpan<byte> datagram)
    {
        uint index = BinaryPrimitives.ReadUInt32LittleEndian(datagram[TransportLayout.Receiver..]);
        ulong counter = BinaryPrimitives.ReadUInt64LittleEndian(datagram[TransportLayout.Counter..]);
        if (from.PeerOf(to.Number)?.Keypairs.Current is not { } keypair || keypair.RemoteIndex != index)
            throw world.Violation($"node {from.Number} sent to {to.Number} on a session that is not its current one");
        if (from.Device!.Now - keypair.CreatedAt >= World.RejectAfterTime.Ticks)
            throw world.Violation($"node {from.Number} sent to {to.Number} on a session of {TimeSpan.FromTicks(from.Device.Now - keypair.CreatedAt)}");
        if (_lastCounters.TryGetValue(keypair, out ulong last) && last > counter) // kept as the next that may be used
            throw world.Violation($"node {from.Number} sent to {to.Number} with counter {counter} after {last - 1}");
        _lastCounters[keypair] = counter + 1;

        int length = datagram.Length - TransportLayout.Overhead;
        if (!ChaCha20Poly1305.TryOpen(keypair.SendKey, counter, datagram[TransportLayout.HeaderLength..], default, _plain.AsSpan(0, length)))
            throw world.Violation($"node {from.Number} sent to {to.Number} what its own key does not open");
        if (length == 0 || !ProbePacket.TryRead(_plain.AsSpan(0, length), out int sender, out int receiver, out uint sequence)) return;
        if (receiver != to.Number) throw world.Violation($"node {from.Number} sent node {to.Number} a packet for {receiver}");
        if (world.FlowOf(sender, receiver) is not { } flow || ProbePacket.SourceOf(_plain) != from.Number) return; // forged
        Probe probe = flow.Find(sequence) ?? throw world.Violation($"{flow}: packet {sequence} was sent again");
        if (probe.Emitted is not null) throw world.Violation($"{flow}: packet {sequence} was sent twice");
        flow.OlderGone(sequence);
        probe.Emitted = world.Time.Now;
        probe.Tag = TagOf(datagram);
        _underWay[probe.Tag] = probe;
        if (world.Random.Next(KeptPart) == 0) _candidates[probe.Tag] = (datagram.ToArray(), to);
    }

    private void HoldsNoKeys(SimulatedNode node, Keypair keypair)
    {
        if (keypair.SendKey.IndexOfAnyExcept((byte)0) >= 0 || keypair.ReceiveKey.IndexOfAnyExcept((byte)0) >= 0)
            throw world.Violation($"node {node.Number} still holds the keys of a session with {keypair.Peer.Id} that is gone");
    }
}
