using System.Net;
using Google.Protobuf;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Presence;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Map;

/// <summary>How a node stands in others' maps. The same bytes for everyone who sees it, so they are encoded once.</summary>
internal static class PeerEntry
{
    private const byte PresenceTag = Peer.PresenceFieldNumber << 3 | 2;

    /// <summary>Whether two states of a node have the same <see cref="Peer"/>, presence aside.</summary>
    public static bool AreSame(Node one, Node other) =>
        one.Id == other.Id && one.OwnerId == other.OwnerId && one.ClassId == other.ClassId && one.Name == other.Name && one.ExpiresAt == other.ExpiresAt
        && one.NodeKey == other.NodeKey && one.PreviousNodeKey == other.PreviousNodeKey && one.IPv4.Equals(other.IPv4) && one.IPv6.Equals(other.IPv6)
        && one.Host.Capabilities == other.Host.Capabilities;

    /// <summary>A <see cref="Peer"/> with an encoded presence.</summary>
    public static byte[] Encode(Node node, byte[] presence)
    {
        var peer = new Peer
        {
            NodeId = node.Id,
            Kind = PeerKind.Mesh,
            OwnerId = node.OwnerId,
            ClassId = node.ClassId.Value,
            Name = node.Name,
            ExpiresAtMs = node.ExpiresAt?.ToUnixTimeMilliseconds() ?? 0,
            NodeKey = ByteString.CopyFrom(node.NodeKey.AsSpan()),
        };
        if (node.PreviousNodeKey is { } previous) peer.PreviousNodeKey = ByteString.CopyFrom(previous.AsSpan());
        peer.Prefixes.AddRange(OwnPrefixes(node));
        peer.Capabilities.AddRange(Capabilities(node.Host.Capabilities));
        // Appended, as protobuf fields may follow in any order.
        int size = peer.CalculateSize(), start = size + 1 + CodedOutputStream.ComputeLengthSize(presence.Length);
        byte[] bytes = new byte[start + presence.Length];
        var output = new CodedOutputStream(bytes);
        peer.WriteTo(output);
        output.WriteRawTag(PresenceTag);
        output.WriteLength(presence.Length);
        presence.CopyTo(bytes, start);
        return bytes;
    }

    /// <param name="presence">Null for a node of which nothing is known: offline, no endpoints.</param>
    public static byte[] Encode(ulong nodeId, NodePresence? presence)
    {
        var message = new PeerPresence { NodeId = nodeId, Online = presence?.Online ?? false };
        if (presence is not null)
            foreach (var endpoint in presence.Endpoints) message.Endpoints.Add(ToMessage(endpoint));
        return message.ToByteArray();
    }

    /// <summary>Those that this coordinator knows, as a bit each; what it does not know grants nothing and is dropped.</summary>
    public static ulong Known(IEnumerable<Capability> capabilities)
    {
        ulong known = 0;
        foreach (var capability in capabilities)
            if (capability != Capability.Unspecified && (ulong)capability < 64 && Enum.IsDefined(capability)) known |= 1UL << (int)capability;
        return known;
    }

    private static IEnumerable<Capability> Capabilities(ulong known)
    {
        for (int i = 1; i < 64; i++)
            if ((known >> i & 1) != 0) yield return (Capability)i;
    }

    public static IEnumerable<Prefix> OwnPrefixes(Node node) => node.Addresses.Select(HostPrefix);

    public static Endpoint ToMessage(PresenceEndpoint endpoint) => new()
    {
        Address = ByteString.CopyFrom(endpoint.Address.GetAddressBytes()), Port = endpoint.Port, Source = endpoint.Source,
    };

    private static Prefix HostPrefix(IPAddress address)
    {
        byte[] bytes = address.GetAddressBytes();
        return new Prefix { Address = ByteString.CopyFrom(bytes), Length = (uint)bytes.Length * 8, Primary = true };
    }
}
