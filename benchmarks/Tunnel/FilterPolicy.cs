using System.Buffers.Binary;
using System.Net;
using Google.Protobuf;
using Mesh.Node.Control;
using Mesh.Node.Filter;
using Mesh.Protocol.Control;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>
/// What a coordinator tells a node of a network of 10,000 machines in 500 classes: 200 rules that mean this node, of which a
/// class is in every tenth. It is a router, and some peers are: rules name subnets on either side. One lets in the load's ports
/// from the peer's class, and nothing lets in what is above 32,767, where answers go.
/// </summary>
internal static class FilterPolicy
{
    private const int Peers = 10_000, Classes = 500, ClassesOfRule = 50;
    private const int OwnRules = 160, SubnetRules = 20, SourceRules = 19;
    private const int LastServicePort = 32_767;

    /// <param name="peerId">The real peer's; the others only stand in the map.</param>
    public static NetworkMap Map(IPAddress self, IPAddress peer, ulong peerId)
    {
        var snapshot = new Snapshot
        {
            ResumeToken = ByteString.CopyFromUtf8("t"),
            Head = new LogHead { Position = 1, Hash = Bytes(32, 1), Signature = Bytes(64, 1) },
            Self = new Self { NodeId = 1_000_000, Name = "self", NodeKey = Bytes(32, 1_000_000), Addresses = { Prefix(self, 32) } },
            Peers = { NewPeer(peerId, peer) },
            Filter = new PacketFilter { Ingress = { Rules(peerId) } },
        };
        for (int i = 1; snapshot.Peers.Count < Peers; i++)
            if ((ulong)i != peerId) snapshot.Peers.Add(NewPeer((ulong)i, V4(0x64400000 + i)));
        // As it comes from the wire.
        return NetworkMap.Create(Snapshot.Parser.ParseFrom(snapshot.ToByteArray()), out NetworkMap? map) is { IsNone: false } fault
            ? throw new InvalidOperationException($"no map: {fault}")
            : map!;
    }

    private static IEnumerable<FilterRule> Rules(ulong peerId)
    {
        for (int i = 0; i < OwnRules; i++)
            yield return new FilterRule { Classes = { ClassesOf(i) }, Protocols = { Protocols(i) }, Ports = { Ports(i) } };
        for (int i = 0; i < SubnetRules; i++)
            yield return new FilterRule { Classes = { ClassesOf(i) }, Protocols = { Protocols(i) }, Ports = { Ports(i) }, Destinations = { Prefix(V4((10 << 24) + (i << 16)), 16) } };
        for (int i = 0; i < SourceRules; i++)
            yield return new FilterRule { Sources = { Prefix(V4(unchecked((int)0xC0A80000) + (i << 8)), 24) }, Protocols = { Protocols(i) }, Ports = { Ports(i) } };
        yield return new FilterRule
        {
            Classes = { ClassOf(peerId) },
            Protocols = { Protocols(1) },
            Ports = { new PortRange { First = TunnelPair.LoadPort, Last = TunnelPair.BackgroundPort } },
        };
    }

    private static IEnumerable<ulong> ClassesOf(int rule) =>
        Enumerable.Range(0, ClassesOfRule).Select(n => (ulong)((rule * 7 + n * (Classes / ClassesOfRule)) % Classes + 1));

    /// <summary>Never ICMP, whose pings show whether the filter is at work.</summary>
    private static uint[] Protocols(int rule) => rule % 3 == 0 ? [IpProtocol.Tcp] : [IpProtocol.Tcp, IpProtocol.Udp];

    private static IEnumerable<PortRange> Ports(int rule)
    {
        int first = 20 + (rule * 151 % (LastServicePort - 1_000));
        yield return new PortRange { First = (uint)first, Last = (uint)first };
        yield return new PortRange { First = (uint)first + 80, Last = (uint)first + 99 };
    }

    private static ulong ClassOf(ulong peer) => peer % Classes + 1;

    private static Peer NewPeer(ulong id, IPAddress address) => new()
    {
        NodeId = id,
        Kind = PeerKind.Mesh,
        Name = $"peer-{id}",
        ClassId = ClassOf(id),
        NodeKey = Bytes(32, (int)id),
        Prefixes = { Prefix(address, 32) },
    };

    private static Prefix Prefix(IPAddress address, uint length) =>
        new() { Address = ByteString.CopyFrom(address.GetAddressBytes()), Length = length, Primary = length == 32 };

    private static IPAddress V4(int address)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, address);
        return new IPAddress(bytes);
    }

    private static ByteString Bytes(int length, int n)
    {
        byte[] bytes = new byte[length];
        BinaryPrimitives.WriteInt32BigEndian(bytes, n);
        return ByteString.CopyFrom(bytes);
    }
}
