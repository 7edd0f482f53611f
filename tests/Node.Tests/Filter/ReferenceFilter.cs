using System.Net;
using Mesh.Node.Control;
using Mesh.Protocol.Control;

namespace Mesh.Node.Tests.Filter;

/// <summary>
/// The filter once more, in the plainest words: rules read one by one, lists without bounds, packets read into objects. What
/// <see cref="Mesh.Node.Filter.PolicyFilter"/> does quickly must be what this does slowly.
/// </summary>
internal sealed class ReferenceFilter(NetworkMap map, DateTimeOffset now)
{
    private readonly Dictionary<Flow, (string State, DateTimeOffset Until)> _own = [];
    private readonly Dictionary<Flow, DateTimeOffset> _peers = [];
    private readonly Dictionary<(bool Inbound, ulong Peer, IPAddress From, IPAddress To, uint Id, int Protocol), (int Judged, DateTimeOffset Until)> _datagrams = [];
    private NetworkMap _map = map;

    public DateTimeOffset Now { get; set; } = now;

    public void Apply(NetworkMap map)
    {
        foreach (var flow in _own.Keys.Where(flow => !Live(map, flow.Peer)).ToList()) _own.Remove(flow);
        foreach (var flow in _peers.Keys.Where(flow => !Live(map, flow.Peer)).ToList()) _peers.Remove(flow);
        foreach (var datagram in _datagrams.Keys.Where(datagram => !SameRights(map, datagram.Peer)).ToList()) _datagrams.Remove(datagram);
        _map = map;
    }

    public bool Inbound(ulong peer, byte[] bytes)
    {
        if (!Live(_map, peer) || PlainPacket.Read(bytes, quoted: false) is not { } packet) return false;
        return Fragmented(inbound: true, peer, packet, () => Judge(peer, packet));
    }

    public bool Outbound(ulong peer, byte[] bytes)
    {
        if (!Live(_map, peer)) return false;
        var packet = PlainPacket.Read(bytes, quoted: false);
        if (_map.Peers[peer].Kind == PeerKind.Wireguard
            && (packet is null || !Fragmented(inbound: false, peer, packet, () => MayLeave(peer, packet)))) return false;
        if (packet is { IsLater: false }) Note(peer, packet);
        return true;
    }

    private bool Live(NetworkMap map, ulong id) =>
        map.Peers.TryGetValue(id, out var peer) && (peer.ExpiresAtMs == 0 || peer.ExpiresAtMs > Now.ToUnixTimeMilliseconds());

    private bool SameRights(NetworkMap map, ulong id)
    {
        if (!Live(map, id) || !map.Filter.Equals(_map.Filter)) return false;
        Peer a = _map.Peers[id], b = map.Peers[id];
        return (a.ClassId, a.OwnerId, a.Kind, a.ExpiresAtMs, _map.Self.OwnerId == a.OwnerId) == (b.ClassId, b.OwnerId, b.Kind, b.ExpiresAtMs, map.Self.OwnerId == b.OwnerId)
            && a.Prefixes.Equals(b.Prefixes);
    }

    private bool Fragmented(bool inbound, ulong peer, PlainPacket packet, Func<bool> judge)
    {
        if (packet.FragmentId is not { } id) return judge();
        var key = (inbound, peer, packet.From, packet.To, id, packet.IsV6 ? 0 : packet.Protocol);
        bool known = _datagrams.TryGetValue(key, out var before) && before.Until > Now;
        if (packet.IsLater) return known && packet.FragmentOffset >= before.Judged;
        bool allowed = judge();
        if (allowed) _datagrams[key] = (Math.Max(packet.Judged, known ? before.Judged : 0), Now.AddSeconds(30));
        else _datagrams.Remove(key);
        return allowed;
    }

    private bool Judge(ulong peer, PlainPacket packet)
    {
        if (packet.IsLinkMessage) return false;
        if (packet.IsError)
        {
            if (packet.FragmentId is not null || packet.Quote is not { IsLater: false } quote || !quote.From.Equals(packet.To) || quote.IsError || quote.IsLinkMessage) return false;
            if ((quote.IsEchoRequest || !quote.IsIcmp) && Own(Flow.Of(peer, quote, outbound: true))) return true;
            return !quote.IsEchoRequest && IsBehind(peer, quote.To) && Rules(_map.Filter.Ingress, peer, sender: quote.To, quote.To, quote.From, quote.Protocol, quote.FromPort);
        }
        if (IsReply(peer, packet)) return true;
        if (!Rules(_map.Filter.Ingress, peer, sender: packet.From, packet.From, packet.To, packet.Protocol, packet.ToPort)) return false;
        if (packet.Protocol != 6 && (packet.IsEchoRequest || !packet.IsIcmp))
            _peers[Flow.Of(peer, packet, outbound: false)] = Now + Lifetime(packet.Protocol);
        return true;
    }

    private bool MayLeave(ulong peer, PlainPacket packet)
    {
        if (packet.IsLinkMessage) return false;
        if (packet.IsError)
        {
            if (packet.FragmentId is not null || packet.Quote is not { IsLater: false } quote || !quote.From.Equals(packet.To) || quote.IsError || quote.IsLinkMessage) return false;
            return IsReply(peer, quote) || Rules(_map.Filter.Ingress, peer, sender: quote.From, quote.From, quote.To, quote.Protocol, quote.ToPort);
        }
        if (Rules(_map.Filter.Egress, peer, sender: null, packet.From, packet.To, packet.Protocol, packet.ToPort)) return true;
        bool answers = packet.Protocol == 6
            ? !packet.IsOpening
            : (packet.IsEchoReply || !packet.IsIcmp) && _peers.TryGetValue(Flow.Of(peer, packet, outbound: true), out var until) && until > Now;
        return answers && Rules(_map.Filter.Ingress, peer, sender: packet.To, packet.To, packet.From, packet.Protocol, packet.FromPort);
    }

    /// <param name="sender">The peer's address that classes are about; null when the peer receives.</param>
    private bool Rules(IEnumerable<FilterRule> rules, ulong id, IPAddress? sender, IPAddress from, IPAddress to, int protocol, int port)
    {
        var peer = _map.Peers[id];
        var peersOwn = Hosts(peer.Prefixes.Where(prefix => prefix.Primary));
        var ours = Hosts(_map.Self.Addresses);
        foreach (var rule in rules.Where(rule => rule.IpVersion is 0 or 4 or 6))
        {
            bool byClass = peer.ClassId != 0 && rule.Classes.Contains(peer.ClassId)
                && (sender is not null ? peersOwn.Contains(sender) : ours.Contains(from))
                && (rule.IpVersion == 0 || rule.IpVersion == (from.GetAddressBytes().Length == 4 ? 4 : 6))
                && (!rule.SameOwner || (peer.OwnerId != 0 && peer.OwnerId == _map.Self.OwnerId));
            if (!byClass && !rule.Sources.Any(prefix => prefix.ToNetwork().Contains(from))) continue;
            var own = sender is not null ? ours : peersOwn;
            if (!(rule.Destinations.Count == 0 ? own.Contains(to) : rule.Destinations.Any(prefix => prefix.ToNetwork().Contains(to)))) continue;
            if (!(rule.Protocols.Count == 0 ? protocol is 1 or 6 or 17 or 58 : rule.Protocols.Contains((uint)protocol))) continue;
            if (protocol is 6 or 17 or 132 && rule.Ports.Count > 0 && !rule.Ports.Any(range => range.First <= port && port <= range.Last)) continue;
            return true;
        }
        return false;
    }

    private bool IsBehind(ulong id, IPAddress address)
    {
        // The longest prefix that any peer has for it is this peer's.
        var best = _map.Peers.Values.Where(peer => Live(_map, peer.NodeId))
            .SelectMany(peer => peer.Prefixes.Where(prefix => prefix.Primary && prefix.ToNetwork().Contains(address)).Select(prefix => (peer.NodeId, prefix.Length)))
            .OrderByDescending(entry => entry.Length).FirstOrDefault();
        return best.NodeId == id;
    }

    private bool Own(Flow flow) => _own.TryGetValue(flow, out var entry) && entry.Until > Now;

    private bool IsReply(ulong peer, PlainPacket packet)
    {
        if (packet.IsOpening || (packet.IsIcmp && !packet.IsEchoReply)) return false;
        var flow = Flow.Of(peer, packet, outbound: false);
        if (!Own(flow)) return false;
        if (packet is { Protocol: 6, IsReset: true } && _own[flow].State != "closed")
            _own[flow] = ("closed", Earlier(_own[flow].Until, Now.AddSeconds(10)));
        return true;
    }

    private void Note(ulong peer, PlainPacket packet)
    {
        var flow = Flow.Of(peer, packet, outbound: true);
        if (packet.Protocol == 6)
        {
            if (packet.IsOpening) _own[flow] = ("opening", Now.AddMinutes(4));
            else if (Own(flow) && _own[flow].State != "closed")
                _own[flow] = packet.IsReset ? ("closed", Now.AddSeconds(10))
                    : packet.IsFin || _own[flow].State == "closing" ? ("closing", Now.AddMinutes(4))
                    : ("established", Now.AddDays(1));
        }
        else if (packet.IsEchoRequest || !packet.IsIcmp)
        {
            bool answers = !packet.IsIcmp && !Own(flow) && _peers.TryGetValue(flow, out var until) && until > Now;
            if (answers) _peers[flow] = Now + Lifetime(packet.Protocol);
            else _own[flow] = ("", Now + Lifetime(packet.Protocol));
        }
    }

    private static TimeSpan Lifetime(int protocol) => protocol switch
    {
        17 => TimeSpan.FromMinutes(3),
        1 or 58 => TimeSpan.FromMinutes(1),
        _ => TimeSpan.FromMinutes(10),
    };

    private static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;

    private static List<IPAddress> Hosts(IEnumerable<Prefix> prefixes) =>
        [.. prefixes.Where(prefix => prefix.Length == prefix.Address.Length * 8).Select(prefix => new IPAddress(prefix.Address.Span))];

    private sealed record Flow(ulong Peer, IPAddress Local, IPAddress Remote, int Protocol, int LocalPort, int RemotePort)
    {
        public static Flow Of(ulong peer, PlainPacket packet, bool outbound) => outbound
            ? new(peer, packet.From, packet.To, packet.Protocol, packet.FromPort + packet.EchoId, packet.ToPort)
            : new(peer, packet.To, packet.From, packet.Protocol, packet.ToPort + packet.EchoId, packet.FromPort);
    }
}
