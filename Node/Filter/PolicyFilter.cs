using Mesh.Node.Device;

namespace Mesh.Node.Filter;

/// <summary>
/// Enforces the newest map's filter on the packets inside the tunnel. What no rule allows is dropped.
/// <code>
///   in:   peer in the map, not expired -> headers -> fragment: as its first
///           -> ICMP error: of a flow?  -> reply to a flow of ours -> rule for the peer's class, or for the source behind it
///   out:  peer in the map, not expired -> (plain WireGuard peer: rule, or answer to what it may begin) -> note the flow
/// </code>
/// Flows that a peer began are judged anew at each packet: a right that is gone ends them with the next one. One reference holds
/// all that a map says; the packet paths take it up once a packet, and allocate nothing here. All of them judge at once, in either
/// direction: what they only look up takes no lock; who begins a flow or a fragmented datagram waits for another who does so that moment.
/// </summary>
/// <param name="queues">How many paths judge what comes in.</param>
internal sealed class PolicyFilter(AllowedIps allowedIps, int queues = 1) : IPacketFilter
{
    private const int IcmpHeaderLength = 8;

    private readonly Flows _flows = new();
    private readonly Fragments _inboundFragments = new();
    private readonly Fragments _outboundFragments = new();
    private Published _published = new(FilterView.Empty, 0, queues);

    public FilterView View => Volatile.Read(ref _published).View;

    /// <summary>Flows that were forgotten before their time, for want of room.</summary>
    public long Evictions => _flows.Evictions;

    /// <summary>Enforces the view from the next packet on.</summary>
    /// <param name="utcNow">The wall clock, by which authorisations end.</param>
    /// <param name="now">The device's ticks at that time.</param>
    public void Enforce(FilterView view, DateTimeOffset utcNow, long now) => Volatile.Write(ref _published, new Published(view, utcNow.UtcTicks - now, queues));

    public DropReason? JudgeOutbound(Peer peer, ReadOnlySpan<byte> packet, long now) => JudgeOutbound(peer.Id, packet, now);

    public DropReason? JudgeInbound(int queue, Peer peer, ReadOnlySpan<byte> packet, long now)
    {
        var published = Volatile.Read(ref _published);
        LastPacket last = published.LastInbound[queue];
        if (last.Find(peer.Id) is not { } rights) return DropReason.PolicyPeer;
        var refused = PacketHeaders.Read(packet, PacketForm.Received, out PacketHeaders headers);
        if (rights.ExpiresAt <= now + published.UtcOffset) refused = DropReason.PolicyPeer;
        if (refused is null)
        {
            switch (headers.Part)
            {
                case DatagramPart.LaterFragment:
                    if (!_inboundFragments.MayFollow(rights.Number, headers, now)) refused = DropReason.PolicyFragment;
                    break;
                case DatagramPart.FirstFragment:
                    refused = JudgeInbound(published.View, last, rights, peer, headers, packet, now);
                    _inboundFragments.NoteFirst(rights.Number, headers, refused is null, now);
                    break;
                default:
                    refused = JudgeInbound(published.View, last, rights, peer, headers, packet, now);
                    break;
            }
        }
        if (refused is { } reason) rights.Drops.Add(reason, headers);
        return refused;
    }

    internal DropReason? JudgeOutbound(ulong peer, ReadOnlySpan<byte> packet, long now)
    {
        var published = Volatile.Read(ref _published);
        if (published.View.Find(peer) is not { } rights) return DropReason.PolicyPeer;
        bool readable = PacketHeaders.Read(packet, PacketForm.Received, out PacketHeaders headers) is null;
        DropReason? refused = null;
        if (rights.ExpiresAt <= now + published.UtcOffset) refused = DropReason.PolicyPeer;
        else if (rights.EnforcesNothing && !(readable && MayLeave(published.View, rights, headers, packet, now))) refused = DropReason.PolicyEgress;
        if (refused is { } reason) rights.Drops.Add(reason, headers);
        else if (readable && headers.Part != DatagramPart.LaterFragment) _flows.NoteOutbound(rights.Visibility, headers, now);
        return refused;
    }

    /// <param name="router">Who must be the router for what an ICMP error is about: the peer itself, as the allowed IPs know it.</param>
    private DropReason? JudgeInbound(
        FilterView view, LastPacket last, PeerRights rights, Peer router, in PacketHeaders headers, ReadOnlySpan<byte> packet, long now)
    {
        switch (headers.Icmp)
        {
            case IcmpMessage.Link:
                return DropReason.PolicyIcmp;
            case IcmpMessage.Error:
                return IsAboutFlow(view, rights, router, headers, packet, now) ? null : DropReason.PolicyIcmp;
        }
        // Most of TCP is what a rule lets in; of the rest, a flow of ours must not be taken for one of the peer's.
        bool isTcp = headers.Protocol == IpProtocol.Tcp;
        if (!isTcp && _flows.IsReply(rights.Visibility, headers, now)) return null;
        if (last.MaySend(headers))
        {
            _flows.NoteInbound(rights.Visibility, headers, now);
            return null;
        }
        return isTcp && _flows.IsReply(rights.Visibility, headers, now) ? null : DropReason.PolicyDenied;
    }

    /// <summary>
    /// An ICMP error passes if what it quotes is of a flow that we began, or our answer in one that the peer may have begun; and
    /// only from where that flow leads. "Packet too big" is one of these.
    /// </summary>
    private bool IsAboutFlow(FilterView view, PeerRights rights, Peer router, in PacketHeaders error, ReadOnlySpan<byte> packet, long now)
    {
        if (!TryReadQuote(error, packet, out PacketHeaders quote) || quote.Source != error.Destination) return false;
        if (_flows.IsOwn(rights.Visibility, quote, now)) return true;
        return quote.Icmp is not (IcmpMessage.Error or IcmpMessage.Link or IcmpMessage.EchoRequest)
            && allowedIps.Lookup(quote.Destination) == router
            && rights.MaySend(quote.Destination, quote.Source, view.IsOwn(quote.Source), quote.Protocol, quote.SourcePort);
    }

    /// <summary>Towards a peer that enforces nothing: what a rule allows, and answers to what the peer may begin.</summary>
    private bool MayLeave(FilterView view, PeerRights rights, in PacketHeaders headers, ReadOnlySpan<byte> packet, long now)
    {
        switch (headers.Part)
        {
            case DatagramPart.LaterFragment:
                return _outboundFragments.MayFollow(rights.Number, headers, now);
            case DatagramPart.FirstFragment:
                bool allowed = MayLeaveWhole(view, rights, headers, packet, now);
                _outboundFragments.NoteFirst(rights.Number, headers, allowed, now);
                return allowed;
            default:
                return MayLeaveWhole(view, rights, headers, packet, now);
        }
    }

    private bool MayLeaveWhole(FilterView view, PeerRights rights, in PacketHeaders headers, ReadOnlySpan<byte> packet, long now)
    {
        if (headers.Icmp == IcmpMessage.Link) return false;
        if (headers.Icmp == IcmpMessage.Error)
        {
            return TryReadQuote(headers, packet, out PacketHeaders quote) && quote.Source == headers.Destination
                && quote.Icmp is not (IcmpMessage.Error or IcmpMessage.Link)
                && (_flows.IsReply(rights.Visibility, quote, now)
                    || rights.MaySend(quote.Source, quote.Destination, view.IsOwn(quote.Destination), quote.Protocol, quote.DestinationPort));
        }
        bool fromOwn = view.IsOwn(headers.Source);
        return rights.MayReceive(headers.Source, fromOwn, headers.Destination, headers.Protocol, headers.DestinationPort)
            || (_flows.IsAnswer(rights.Visibility, headers, now)
                && rights.MaySend(headers.Destination, headers.Source, fromOwn, headers.Protocol, headers.SourcePort));
    }

    private static bool TryReadQuote(in PacketHeaders error, ReadOnlySpan<byte> packet, out PacketHeaders quote)
    {
        quote = default;
        // Errors fit into the smallest packet that every link takes (RFC 1122, RFC 4443): one in fragments is none.
        return error.Part == DatagramPart.Whole
            && PacketHeaders.Read(packet[(error.TransportStart + IcmpHeaderLength)..], PacketForm.Quoted, out quote) is null
            && quote.Part != DatagramPart.LaterFragment;
    }

    private sealed class Published(FilterView view, long utcOffset, int queues)
    {
        public FilterView View => view;

        public long UtcOffset => utcOffset;

        public LastPacket[] LastInbound { get; } = [.. Enumerable.Range(0, queues).Select(_ => new LastPacket(view))];
    }
}
