using System.Net;
using Mesh.Node.Cli;
using Mesh.Node.Control;
using Mesh.Protocol.Control;

namespace Mesh.Node.Daemon;

/// <summary>Finds the peer that a user means.</summary>
internal static class PeerLookup
{
    /// <param name="host">A name, or one of the peer's addresses (which then also chooses the family).</param>
    /// <exception cref="UserException">The map holds no such peer.</exception>
    public static (Peer Peer, IPAddress From, IPAddress To) Find(NetworkMap map, string host)
    {
        bool isAddress = IPAddress.TryParse(host, out var wanted);
        foreach (var peer in map.Peers.Values)
        {
            var addresses = HostAddresses(peer.Prefixes);
            var to = isAddress
                ? addresses.Find(address => address.Equals(wanted))
                : string.Equals(peer.Name, host, StringComparison.OrdinalIgnoreCase) ? addresses.FirstOrDefault() : null;
            if (to is null) continue;
            var from = HostAddresses(map.Self.Addresses).Find(address => address.AddressFamily == to.AddressFamily);
            if (from is not null) return (peer, from, to);
        }
        string shown = string.Concat(host.Where(c => !char.IsControl(c)).Take(80));
        throw new UserException(ExitCode.UnknownPeer, $"no peer '{shown}' that this machine may see", "List the peers with: mesh status");
    }

    /// <summary>The single addresses among the prefixes, IPv4 first.</summary>
    public static List<IPAddress> HostAddresses(IEnumerable<Prefix> prefixes) =>
        [.. prefixes.Where(prefix => prefix.Length == prefix.Address.Length * 8).Select(prefix => new IPAddress(prefix.Address.Span))
            .OrderBy(address => address.AddressFamily)];
}
