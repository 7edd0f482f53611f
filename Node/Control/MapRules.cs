using System.Buffers.Binary;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Node.Control;

/// <summary>What each part of a map frame must fulfil by itself, as node_api.proto and <see cref="ControlLimits"/> say. Returns the field at fault, or null.</summary>
internal static class MapRules
{
    public static string? Check(Self? self)
    {
        if (self is null) return "self";
        if (self.NodeId == 0) return "self.node_id";
        if (!DnsLabel.IsValid(self.Name)) return "self.name";
        if (self.NodeKey.Length != ControlLimits.KeyBytes) return "self.node_key";
        if (self.Addresses.Count == 0 || !ArePrefixes(self.Addresses)) return "self.addresses";
        if (self.Observed is { } observed && observed.Address.Length is not (4 or 16)) return "self.observed";
        return null;
    }

    /// <summary>Whether an answer to a registration says who this node is now.</summary>
    public static bool IsMembership(RegisterResponse answer) =>
        answer.NodeId != 0 && DnsLabel.IsValid(answer.Name) && answer.Addresses.Count > 0 && ArePrefixes(answer.Addresses);

    public static string? Check(Peer peer)
    {
        if (peer.NodeId == 0) return "peer.node_id";
        if (!DnsLabel.IsValid(peer.Name)) return "peer.name";
        if (!ArePrefixes(peer.Prefixes)) return "peer.prefixes";
        if (peer.NodeKey.Length != ControlLimits.KeyBytes || IsZero(peer.NodeKey)) return "peer.node_key";
        if (peer.PreviousNodeKey.Length is not (0 or ControlLimits.KeyBytes)) return "peer.previous_node_key";
        if (peer.Capabilities.Count > ControlLimits.Capabilities) return "peer.capabilities";
        if (peer.KeySignature is { } signature && signature.Signature.Length > ControlLimits.KeySignatureBytes) return "peer.key_signature";
        if (peer.Presence is { } presence && (presence.NodeId != peer.NodeId || !AreEndpoints(presence.Endpoints))) return "peer.presence";
        return null;
    }

    public static string? Check(PeerPresence presence) => AreEndpoints(presence.Endpoints) ? null : "presence.endpoints";

    public static string? Check(PacketFilter? filter)
    {
        if (filter is null) return "filter";
        if (filter.Ingress.Count + filter.Egress.Count > ControlLimits.FilterRules) return "filter.rules";
        foreach (var rule in filter.Ingress.Concat(filter.Egress))
        {
            if (rule.Protocols.Any(protocol => protocol > byte.MaxValue)) return "filter.protocols";
            if (rule.Ports.Any(range => range.First > range.Last || range.Last > ushort.MaxValue)) return "filter.ports";
            if (!rule.Destinations.All(IsPrefix)) return "filter.destinations";
            if (!rule.Sources.All(IsPrefix)) return "filter.sources";
        }
        return null;
    }

    public static string? Check(ByteString resumeToken, LogHead? head)
    {
        if (resumeToken.Length is 0 or > ControlLimits.ResumeTokenBytes) return "resume_token";
        if (head is null || head.Hash.Length != ControlLimits.HashBytes || head.Signature.Length != ControlLimits.SignatureBytes
            || head.LogKeyCertificate.Length > ControlLimits.LogKeyCertificateBytes)
            return "head";
        return null;
    }

    public static bool AreEndpoints(RepeatedField<Endpoint> endpoints) =>
        endpoints.Count <= ControlLimits.EndpointsPerNode
        && endpoints.All(endpoint => endpoint.Address.Length is 4 or 16 && endpoint.Port is >= 1 and <= ushort.MaxValue);

    private static bool ArePrefixes(RepeatedField<Prefix> prefixes) =>
        prefixes.Count <= ControlLimits.PrefixesPerPeer && prefixes.All(IsPrefix);

    private static bool IsPrefix(Prefix prefix)
    {
        var address = prefix.Address.Span;
        if (address.Length is not (4 or 16) || prefix.Length > address.Length * 8) return false;
        var bits = address.Length == 4
            ? (UInt128)BinaryPrimitives.ReadUInt32BigEndian(address) << 96
            : BinaryPrimitives.ReadUInt128BigEndian(address);
        return prefix.Length == 128 || bits << (int)prefix.Length == 0;
    }

    private static bool IsZero(ByteString key) => key.Span.IndexOfAnyExcept((byte)0) < 0;
}
