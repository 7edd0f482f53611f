using System.Globalization;
using System.Net;
using Mesh.Node.Cli;
using Mesh.Node.Control;
using Mesh.Node.Device;
using Mesh.Node.Filter;
using Mesh.Node.LocalApi;
using Mesh.Protocol.Control;

namespace Mesh.Node.Daemon;

/// <summary>
/// Says what this node's map and filter make of connections between it and a peer, in either direction. About others it knows
/// nothing: whether a peer lets a connection in is for that peer's filter to say.
/// </summary>
internal static class WhyExplainer
{
    /// <exception cref="UserException">The map holds no such peer.</exception>
    public static WhyAnswer Explain(NetworkMap map, FilterView view, WhyRequest request)
    {
        var (peer, own, address) = Find(map, request.Host);
        var rights = view.Find(peer.NodeId);
        byte protocol = (byte)request.Protocol;
        ushort port = (ushort)(request.Port ?? 0);
        IpAddressBits ours = IpAddressBits.From(own), theirs = IpAddressBits.From(address);
        return new WhyAnswer(
            peer.Name, address.ToString(), request.Port, request.Protocol, ClassOf(peer),
            Out(peer, view, rights, ours, theirs, protocol, port), In(peer, view, rights, theirs, ours, protocol, port),
            rights?.Drops.Counts.ToDictionary(drop => drop.Reason.ToString(), drop => drop.Count) ?? []);
    }

    private static (Protocol.Control.Peer Peer, IPAddress Own, IPAddress Address) Find(NetworkMap map, string host)
    {
        if (string.Equals(host, map.Self.Name, StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host, out var address) && PeerLookup.HostAddresses(map.Self.Addresses).Contains(address)))
            throw new UserException(ExitCode.Usage, $"{map.Self.Name} is this machine", "Name the machine at the other end.");
        try
        {
            return PeerLookup.Find(map, host);
        }
        catch (UserException e) when (e.Code == ExitCode.UnknownPeer)
        {
            throw new UserException(ExitCode.UnknownPeer, e.Message,
                "Either the name is wrong (mesh status lists the peers), or no rule lets one of the two reach the other: "
                + "ask an administrator for mesh-coordinator policy explain.", e);
        }
    }

    private static WhyDirection Out(
        Protocol.Control.Peer peer, FilterView view, PeerRights? rights, IpAddressBits ours, IpAddressBits theirs, byte protocol, ushort port)
    {
        if (rights is null) return Unusable(peer);
        if (!rights.EnforcesNothing)
            return new WhyDirection(WhyDirection.PeerDecides, $"this machine sees {peer.Name} and sends; {peer.Name}'s own filter decides what it lets in");
        if (!rights.MayReceive(ours, true, theirs, protocol, port))
            return new WhyDirection(WhyDirection.Denied, $"{peer.Name} is a plain WireGuard peer, and no rule lets this machine reach it there");
        int? rule = view.Rules.EgressRules.FirstOrDefault(rule => Matches(rule, rights, theirs, ours, theirs, true, protocol, port))?.Number;
        return new WhyDirection(WhyDirection.Allowed, $"{peer.Name} is a plain WireGuard peer, and outgoing rule {rule} of this machine's filter allows it");
    }

    private static WhyDirection In(
        Protocol.Control.Peer peer, FilterView view, PeerRights? rights, IpAddressBits theirs, IpAddressBits ours, byte protocol, ushort port)
    {
        if (rights is null) return Unusable(peer);
        if (!rights.MaySend(theirs, ours, true, protocol, port))
            return new WhyDirection(WhyDirection.Denied, $"no rule of this machine's filter lets {peer.Name} (class {ClassOf(peer)}) in there; answers to what this machine began pass");
        int? rule = view.Rules.IngressRules.FirstOrDefault(rule => Matches(rule, rights, theirs, theirs, ours, true, protocol, port))?.Number;
        return new WhyDirection(WhyDirection.Allowed, $"incoming rule {rule} of this machine's filter lets {peer.Name} (class {ClassOf(peer)}) in");
    }

    private static WhyDirection Unusable(Protocol.Control.Peer peer) => new(WhyDirection.Denied, peer.Kind is PeerKind.Mesh or PeerKind.Wireguard
        ? $"{peer.Name}'s authorisation has ended"
        : $"{peer.Name} is of a kind that this version does not know");

    // As the coordinator writes it.
    private static string ClassOf(Protocol.Control.Peer peer) => peer.ClassId.ToString("x16", CultureInfo.InvariantCulture);

    /// <param name="classed">The address that the rule's classes are about.</param>
    private static bool Matches(
        CompiledRule rule, PeerRights rights, IpAddressBits classed, IpAddressBits from, IpAddressBits to, bool toOwn, byte protocol, ushort port)
    {
        bool byClass = rule.Classes.Contains(rights.Source.ClassId) && (!rule.SameOwner || rights.SameOwner) && rule.HoldsIn(to.IsV6) && FilterView.Has(rights.OwnAddresses, classed);
        return (byClass || rule.Sources.Any(prefix => prefix.Contains(from)))
            && (rule.Destinations.Length == 0 ? toOwn : rule.Destinations.Any(prefix => prefix.Contains(to)))
            && rule.Protocols.Contains(protocol)
            && (!IpProtocol.HasPorts(protocol) || rule.Ports.Any(range => range.First <= port && port <= range.Last));
    }
}
