using System.Net;
using Google.Protobuf;
using Mesh.Node.Control;
using Mesh.Node.Tests.Control;
using Mesh.Protocol.Control;

namespace Mesh.Node.Tests.Filter;

/// <summary>
/// A small network: this node (100.64.1.250, router for 10.9.0.0/24), mesh peers 1, 2 and 3 (100.64.1.n, class n; 3 is the router
/// for 10.7.0.0/16), and peer 4, a plain WireGuard client of class 4. Owners: 9 owns this node and peer 1; nobody peer 2; 8 the others.
/// </summary>
internal static class FilterMaps
{
    public static readonly IPAddress Us = V4(250), Us6 = V6(250), BehindSelf = new([10, 9, 0, 5]), BehindThree = new([10, 7, 3, 4]);

    public static IPAddress V4(byte n) => new([100, 64, 1, n]);

    public static IPAddress V6(byte n) => IPAddress.Parse($"fd7a::{n:x}");

    public static Prefix PrefixOf(string text)
    {
        var network = IPNetwork.Parse(text);
        return new Prefix { Address = ByteString.CopyFrom(network.BaseAddress.GetAddressBytes()), Length = (uint)network.PrefixLength, Primary = true };
    }

    public static PortRange Port(int first, int? last = null) => new() { First = (uint)first, Last = (uint)(last ?? first) };

    public static FilterRule Rule(ulong[] classes, uint[]? protocols = null, PortRange[]? ports = null, string[]? to = null, string[]? from = null, bool self = false) => new()
    {
        Classes = { classes },
        Protocols = { protocols ?? [] },
        Ports = { ports ?? [] },
        Destinations = { (to ?? []).Select(PrefixOf) },
        Sources = { (from ?? []).Select(PrefixOf) },
        SameOwner = self,
    };

    public static Peer NewPeer(byte n)
    {
        var peer = MapSamples.Peer(n);
        peer.ClassId = n;
        peer.Kind = n == 4 ? PeerKind.Wireguard : PeerKind.Mesh;
        peer.OwnerId = n switch { 1 => 9UL, 2 => 0, _ => 8 };
        peer.Prefixes.Add(PrefixOf($"{V6(n)}/128"));
        if (n == 3) peer.Prefixes.Add([PrefixOf("10.7.0.0/16"), PrefixOf("fd07::/64")]);
        return peer;
    }

    public static Snapshot NewSnapshot(IEnumerable<Peer> peers, IEnumerable<FilterRule> ingress, IEnumerable<FilterRule>? egress = null)
    {
        var self = MapSamples.Self();
        self.OwnerId = 9;
        self.Addresses.Add(PrefixOf($"{Us6}/128"));
        return new Snapshot
        {
            ResumeToken = ByteString.CopyFromUtf8("token-1"),
            Head = MapSamples.Head(1),
            Self = self,
            Peers = { peers },
            Filter = new PacketFilter { Ingress = { ingress }, Egress = { egress ?? [] } },
        };
    }

    public static NetworkMap Map(Snapshot snapshot)
    {
        var fault = NetworkMap.Create(snapshot, out var map);
        return map ?? throw new InvalidOperationException($"no map: {fault}");
    }

    /// <summary>All four peers under these rules.</summary>
    public static NetworkMap Map(params FilterRule[] ingress) => Map(NewSnapshot(new byte[] { 1, 2, 3, 4 }.Select(NewPeer), ingress));

    public static NetworkMap Map(FilterRule[] ingress, FilterRule[] egress) => Map(NewSnapshot(new byte[] { 1, 2, 3, 4 }.Select(NewPeer), ingress, egress));
}
