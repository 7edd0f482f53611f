using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Mesh.Coordinator.Presence;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Hosting;

/// <summary>
/// Holds every field of a node's message against its bound and alphabet. Each check answers with the problem, or null.
/// What an older coordinator does not know denies: an unknown enum value is a problem, never a default.
/// </summary>
internal static class RequestCheck
{
    public static Problem? Header(RequestHeader? header)
    {
        if (header is null) return Problems.Invalid("header", "is missing");
        if (header.ProtocolVersion is < ProtocolVersion.Oldest or > ProtocolVersion.Current) return Problems.ProtocolVersionRefused;
        if (header.Capabilities.Count > ControlLimits.Capabilities)
            return Problems.Invalid("header.capabilities", $"at most {ControlLimits.Capabilities}");
        return NetworkName.IsValid(header.Network) ? null : Problems.Invalid("header.network", "is not the name of a network");
    }

    public static Problem? Exactly(string field, ByteString value, int bytes) =>
        value.Length == bytes ? null : Problems.Invalid(field, $"is not {bytes} bytes");

    public static Problem? AtMost(string field, ByteString value, int bytes) =>
        value.Length <= bytes ? null : Problems.Invalid(field, $"is over {bytes} bytes");

    public static Problem? Proof(NodeKeyProof? proof) =>
        proof is null ? Problems.Invalid("node_key", "is missing")
        : Exactly("node_key.node_key", proof.NodeKey, ControlLimits.KeyBytes)
            ?? Exactly("node_key.challenge_id", proof.ChallengeId, ControlLimits.ChallengeIdBytes)
            ?? Exactly("node_key.proof", proof.Proof, ControlLimits.ProofBytes);

    public static Problem? PreAuthKey(string key)
    {
        if (key.Length > ControlLimits.PreAuthKeyChars) return Problems.Invalid("pre_auth_key", $"is over {ControlLimits.PreAuthKeyChars} characters");
        foreach (char c in key)
            if (!(char.IsAsciiLetterOrDigit(c) || c is '-' or '_')) return Problems.Invalid("pre_auth_key", "is not a pre-auth key (mkey_...)");
        return null;
    }

    public static Problem? Hostname(string name)
    {
        if (Encoding.UTF8.GetByteCount(name) > ControlLimits.HostnameBytes) return Problems.Invalid("hostname", $"is over {ControlLimits.HostnameBytes} bytes");
        foreach (char c in name)
            if (char.IsControl(c)) return Problems.Invalid("hostname", "holds a control character");
        return null;
    }

    /// <summary>A missing message counts as one of empty facts.</summary>
    public static Problem? Host(HostFacts? host) =>
        host is null ? null
        : Fact("host.os", host.Os) ?? Fact("host.os_version", host.OsVersion)
            ?? Fact("host.architecture", host.Architecture) ?? Fact("host.mesh_version", host.MeshVersion);

    /// <summary>The endpoints in the sender's order, or a problem.</summary>
    public static Problem? Endpoints(string field, RepeatedField<Endpoint> endpoints, out ImmutableArray<PresenceEndpoint> checkedEndpoints)
    {
        checkedEndpoints = [];
        if (endpoints.Count > ControlLimits.EndpointsPerNode) return Problems.Invalid(field, $"at most {ControlLimits.EndpointsPerNode}");
        var result = ImmutableArray.CreateBuilder<PresenceEndpoint>(endpoints.Count);
        foreach (var endpoint in endpoints)
        {
            if (endpoint.Address.Length is not (4 or 16)) return Problems.Invalid(field + ".address", "is not 4 or 16 bytes");
            var address = new IPAddress(endpoint.Address.Span);
            if (!CanBeSentTo(address)) return Problems.Invalid(field + ".address", "is not the address of one host");
            if (endpoint.Port is 0 or > ushort.MaxValue) return Problems.Invalid(field + ".port", "is not from 1 to 65535");
            if (endpoint.Source is not (EndpointSource.Local or EndpointSource.Observed or EndpointSource.Static))
                return Problems.Invalid(field + ".source", "is none that this coordinator knows");
            result.Add(new PresenceEndpoint(address, (ushort)endpoint.Port, endpoint.Source));
        }
        checkedEndpoints = result.MoveToImmutable();
        return null;
    }

    public static Problem? Head(string field, LogHead? head) =>
        head is null ? null
        : head.Position > long.MaxValue ? Problems.Invalid(field + ".position", "is over 2^63 - 1")
        : Exactly(field + ".hash", head.Hash, ControlLimits.HashBytes)
            ?? Exactly(field + ".signature", head.Signature, ControlLimits.SignatureBytes)
            ?? AtMost(field + ".log_key_certificate", head.LogKeyCertificate, ControlLimits.LogKeyCertificateBytes);

    public static Problem? Fork(ForkEvidence? fork) =>
        fork is null ? null
        : fork.Remembered is null || fork.Received is null ? Problems.Invalid("fork", "lacks one of its two heads")
        : Head("fork.remembered", fork.Remembered) ?? Head("fork.received", fork.Received);

    private static Problem? Fact(string field, string value)
    {
        if (value.Length > ControlLimits.HostFactChars) return Problems.Invalid(field, $"is over {ControlLimits.HostFactChars} characters");
        foreach (char c in value)
            if (c is < ' ' or > '~') return Problems.Invalid(field, "holds something else than printable ASCII");
        return null;
    }

    // Peers send to what stands here: nothing that reaches many, or that means something else on each machine.
    private static bool CanBeSentTo(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
            return !address.IsIPv6Multicast && !address.IsIPv4MappedToIPv6 && !address.Equals(IPAddress.IPv6Any);
        Span<byte> bytes = stackalloc byte[4];
        address.TryWriteBytes(bytes, out _);
        return bytes[0] is not 0 and < 224;
    }
}
