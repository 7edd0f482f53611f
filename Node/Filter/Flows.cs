namespace Mesh.Node.Filter;

/// <summary>
/// Who began what. A flow that this node began is answered whatever the rules say of the peer, for as long as our own packets
/// keep it alive. A flow that a peer began under a rule is remembered so that our answers do not make it one of ours: else a
/// peer whose right was taken away would go on under it. TCP needs no such memory, as its first segment tells who began.
/// <para>
/// Both are keyed by the time of the peer's visibility (<see cref="PeerRights.Visibility"/>): they die when the peer leaves the
/// map, and outlive its keys. Own flows are added by the outbound paths alone, so that no peer can fill that table. Any path of either
/// direction may ask and take note, each on its thread.
/// </para>
/// </summary>
internal sealed class Flows
{
    /// <summary>64 bytes each, taken from the system as they are used. Beyond it the flow of a set that would end soonest is forgotten.</summary>
    public const int OwnCapacity = 65_536;

    /// <summary>Where a peer pushes these out, it is its own flows, or another peer's that may come back under its rule.</summary>
    public const int PeersCapacity = 32_768;

    // A flow is kept alive when a sixteenth of its time is gone: each write takes the cache line from the other path.
    private const int RefreshFraction = 16;

    private readonly BoundedTable _own = new(OwnCapacity);
    private readonly BoundedTable _peers = new(PeersCapacity);

    public long Evictions => _own.Evictions + _peers.Evictions;

    /// <summary>Takes note of a packet that goes out.</summary>
    public void NoteOutbound(ulong visibility, in PacketHeaders headers, long now)
    {
        var key = FlowKey.Outbound(visibility, headers);
        if (headers.Protocol == IpProtocol.Tcp)
        {
            NoteTcp(key, headers, now);
            return;
        }
        long lifetime = FlowTimes.Of(headers.Protocol);
        switch (headers.Icmp)
        {
            case IcmpMessage.None:
                if (TryRefresh(_own, key, lifetime, now) || TryRefresh(_peers, key, lifetime, now)) return;
                _own.Put(key, 0, now + lifetime, now);
                return;
            case IcmpMessage.EchoRequest:
                if (!TryRefresh(_own, key, lifetime, now)) _own.Put(key, 0, now + lifetime, now);
                return;
            default:
                return;
        }
    }

    /// <summary>Whether a packet from a peer answers a flow that this node began.</summary>
    public bool IsReply(ulong visibility, in PacketHeaders headers, long now)
    {
        // An opening segment begins a connection, and an echo request an echo, even where one of ours has the same ports.
        if (headers.IsTcpOpening || headers.Icmp is not (IcmpMessage.None or IcmpMessage.EchoReply)) return false;
        var key = FlowKey.Inbound(visibility, headers);
        if (!_own.TryFind(key, now, out int state, out long endsAt, out int slot)) return false;
        if (headers is { Protocol: IpProtocol.Tcp, IsTcpReset: true } && state != (int)TcpFlow.Closed)
            _own.Update(slot, key, (int)TcpFlow.Closed, Math.Min(endsAt, now + FlowTimes.TcpClosed));
        return true;
    }

    /// <summary>Whether a packet of ours, as an ICMP error quotes it, is of a flow that this node began.</summary>
    public bool IsOwn(ulong visibility, in PacketHeaders quoted, long now) =>
        quoted.Icmp is IcmpMessage.None or IcmpMessage.EchoRequest
        && _own.TryFind(FlowKey.Outbound(visibility, quoted), now, out _, out _, out _);

    /// <summary>Takes note of a packet from a peer that a rule let in.</summary>
    public void NoteInbound(ulong visibility, in PacketHeaders headers, long now)
    {
        if (headers.Protocol == IpProtocol.Tcp)
        {
            if (headers.IsTcpReset) IsReply(visibility, headers, now); // closes one of ours, if it is of one
            return;
        }
        if (headers.Icmp is not (IcmpMessage.None or IcmpMessage.EchoRequest)) return;
        var key = FlowKey.Inbound(visibility, headers);
        long lifetime = FlowTimes.Of(headers.Protocol);
        if (!TryRefresh(_peers, key, lifetime, now)) _peers.Put(key, 0, now + lifetime, now);
    }

    /// <summary>Whether a packet of ours answers a flow that the peer began. For TCP, only whether it could.</summary>
    public bool IsAnswer(ulong visibility, in PacketHeaders headers, long now) => headers.Protocol == IpProtocol.Tcp
        ? !headers.IsTcpOpening
        : headers.Icmp is IcmpMessage.None or IcmpMessage.EchoReply
            && _peers.TryFind(FlowKey.Outbound(visibility, headers), now, out _, out _, out _);

    private void NoteTcp(in FlowKey key, in PacketHeaders headers, long now)
    {
        if (!_own.TryFind(key, now, out int value, out long endsAt, out int slot))
        {
            // Never from the middle: it could be our half of a connection that the peer began and may not go on with.
            if (headers.IsTcpOpening) _own.Put(key, (int)TcpFlow.Opening, now + FlowTimes.TcpOpening, now);
            return;
        }
        var before = (TcpFlow)value;
        var after = TcpFlows.After(before, headers);
        long lifetime = TcpFlows.Lifetime(after);
        if (after != before || (after != TcpFlow.Closed && IsDue(endsAt, lifetime, now))) _own.Update(slot, key, (int)after, now + lifetime);
    }

    private static bool TryRefresh(BoundedTable table, in FlowKey key, long lifetime, long now)
    {
        if (!table.TryFind(key, now, out int value, out long endsAt, out int slot)) return false;
        if (IsDue(endsAt, lifetime, now)) table.Update(slot, key, value, now + lifetime);
        return true;
    }

    private static bool IsDue(long endsAt, long lifetime, long now) => now + lifetime - endsAt > lifetime / RefreshFraction;
}
