using System.Buffers.Binary;
using Google.Protobuf;
using Mesh.Protocol.Control;

namespace Mesh.Node.Tests.Control;

/// <summary>Well-formed parts of a map, numbered: peer n has name "peer-n", key of bytes n, address 100.64.1.n.</summary>
internal static class MapSamples
{
    public const ulong SelfId = 1000;

    public static ByteString Key(byte n) => ByteString.CopyFrom(Enumerable.Repeat(n, 32).ToArray());

    public static Prefix Address(byte n) => new() { Address = ByteString.CopyFrom(100, 64, 1, n), Length = 32, Primary = true };

    public static LogHead Head(ulong position)
    {
        byte[] hash = new byte[32];
        BinaryPrimitives.WriteUInt64BigEndian(hash, position);
        return new LogHead
        {
            Position = position,
            Hash = ByteString.CopyFrom(hash),
            Signature = ByteString.CopyFrom(new byte[64]),
            LogKeyCertificate = ByteString.CopyFrom(1, 2, 3),
        };
    }

    public static Self Self() => new()
    {
        NodeId = SelfId,
        Name = "self",
        NodeKey = Key(250),
        Addresses = { Address(250) },
        ClassId = 1,
    };

    public static Peer Peer(byte n) => new()
    {
        NodeId = n,
        Kind = PeerKind.Mesh,
        Name = $"peer-{n}",
        ClassId = 1,
        NodeKey = Key(n),
        Prefixes = { Address(n) },
        Presence = Presence(n, online: true),
    };

    public static PeerPresence Presence(byte n, bool online) => new()
    {
        NodeId = n,
        Online = online,
        Endpoints = { new Endpoint { Address = ByteString.CopyFrom(10, 0, 0, n), Port = 51820, Source = EndpointSource.Local } },
    };

    public static Snapshot Snapshot(params byte[] peers) => new()
    {
        ResumeToken = ByteString.CopyFromUtf8("token-1"),
        Head = Head(1),
        Self = Self(),
        Peers = { peers.Select(Peer) },
        Filter = new PacketFilter { Ingress = { new FilterRule { Classes = { 1 } } } },
    };

    public static Delta Delta(ulong position) => new() { ResumeToken = ByteString.CopyFromUtf8($"token-{position}"), Head = Head(position) };
}
