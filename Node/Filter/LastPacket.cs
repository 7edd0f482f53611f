using Mesh.Node.Device;

namespace Mesh.Node.Filter;

/// <summary>
/// What a view says of the last packet from a peer, which is asked again by each that comes right behind it in its flow, as most
/// do. Nothing but the view and the packet decides it. Each inbound path has its own.
/// </summary>
internal sealed class LastPacket(FilterView view)
{
    // The middle one is used: it shares no cache line with what the other threads read.
    private readonly Answer[] _answers = new Answer[3];

    public PeerRights? Find(ulong peer)
    {
        ref Answer last = ref _answers[1];
        if (last.Rights is null || last.Peer != peer) last = new Answer { Peer = peer, Rights = view.Find(peer) };
        return last.Rights;
    }

    /// <summary>Whether a rule lets the peer that was found last send this.</summary>
    public bool MaySend(in PacketHeaders headers)
    {
        ref Answer last = ref _answers[1];
        if (last.IsJudged && last.Port == headers.DestinationPort && last.Protocol == headers.Protocol
            && last.Source == headers.Source && last.Destination == headers.Destination) return last.MaySend;
        (last.Source, last.Destination, last.Port, last.Protocol) = (headers.Source, headers.Destination, headers.DestinationPort, headers.Protocol);
        last.MaySend = last.Rights!.MaySend(headers.Source, headers.Destination, view.IsOwn(headers.Destination), headers.Protocol, headers.DestinationPort);
        last.IsJudged = true;
        return last.MaySend;
    }

    private struct Answer
    {
        public PeerRights? Rights;
        public ulong Peer;
        public IpAddressBits Source, Destination;
        public ushort Port;
        public byte Protocol;
        public bool IsJudged, MaySend;
    }
}
