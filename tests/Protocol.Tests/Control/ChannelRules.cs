using Mesh.Protocol.Control;

namespace Mesh.Protocol.Tests.Control;

/// <summary>
/// Every field of the control channel with its bound or alphabet, and, for those that carry on to a node what a node said,
/// where that came from. The descriptors are held against this list: a new field has no place here until someone has thought
/// about what could be hidden in it.
/// </summary>
internal static class ChannelRules
{
    private const string Milliseconds = "Unix milliseconds, 64 bit";
    private const string NodeId = "64 bit, given out by the coordinator";
    private const string Label = "DNS label: 1 to 63 of a-z, 0-9 and '-', no '-' at either end";
    private const string Flag = "one bit";

    private static readonly string Key = $"X25519 public key, {ControlLimits.KeyBytes} bytes, not of low order, proven to be held";
    private static readonly string EndpointList = $"at most {ControlLimits.EndpointsPerNode}";
    private static readonly string PrefixList = $"at most {ControlLimits.PrefixesPerPeer}";
    private static readonly string Fact = $"at most {ControlLimits.HostFactChars} printable ASCII characters";
    private static readonly string Token = $"at most {ControlLimits.ResumeTokenBytes} bytes, made and read by the coordinator alone";

    /// <summary>By the field's full name without its package.</summary>
    public static IReadOnlyDictionary<string, ChannelRule> All { get; } = new Dictionary<string, ChannelRule>(StringComparer.Ordinal)
    {
        // What a node says.
        ["RequestHeader.protocol_version"] = new($"{ProtocolVersion.Oldest} to {ProtocolVersion.Current}"),
        ["RequestHeader.capabilities"] = new($"at most {ControlLimits.Capabilities} known numbers; unknown ones are dropped"),
        ["RequestHeader.network"] = new(Label),
        ["NodeKeyProof.node_key"] = new(Key),
        ["NodeKeyProof.challenge_id"] = new($"{ControlLimits.ChallengeIdBytes} bytes, given out by the coordinator, good once"),
        ["NodeKeyProof.proof"] = new($"HMAC-SHA256, {ControlLimits.ProofBytes} bytes"),
        ["RegisterRequest.pre_auth_key"] = new($"at most {ControlLimits.PreAuthKeyChars} of A-Z, a-z, 0-9, '-' and '_'; empty for none"),
        ["RegisterRequest.hostname"] = new($"at most {ControlLimits.HostnameBytes} bytes, no control characters"),
        ["RegisterRequest.wait"] = new(Flag),
        ["RotateRequest.retire_previous"] = new(Flag),
        ["HostFacts.os"] = new(Fact),
        ["HostFacts.os_version"] = new(Fact),
        ["HostFacts.architecture"] = new(Fact),
        ["HostFacts.mesh_version"] = new(Fact),
        ["MapRequest.resume_token"] = new(Token),
        ["MapRequest.boot_id"] = new($"{ControlLimits.BootIdBytes} bytes"),
        ["ReportRequest.boot_id"] = new($"{ControlLimits.BootIdBytes} bytes"),
        ["ReportRequest.endpoints"] = new(EndpointList),
        ["ReportRequest.listen_port"] = new("0 to 65535"),
        ["ReportRequest.applied_position"] = new("64 bit"),
        ["ReachRequest.node_id"] = new(NodeId),
        ["ReachRequest.endpoints"] = new(EndpointList),

        // What both say.
        ["LogHead.position"] = new("64 bit"),
        ["LogHead.hash"] = new($"SHA-256, {ControlLimits.HashBytes} bytes"),
        ["LogHead.signature"] = new($"ECDSA P-256, {ControlLimits.SignatureBytes} bytes"),
        ["LogHead.log_key_certificate"] = new($"at most {ControlLimits.LogKeyCertificateBytes} bytes of DER, signed by the root"),
        ["Endpoint.address"] = new("4 or 16 bytes; one host: not unspecified, not multicast, not IPv4 mapped into IPv6"),
        ["Endpoint.port"] = new("1 to 65535; 0 only in Self.observed"),
        ["Endpoint.source"] = new("a known number"),

        // What the coordinator says.
        ["ChallengeResponse.challenge_id"] = new($"{ControlLimits.ChallengeIdBytes} random bytes"),
        ["ChallengeResponse.challenge_key"] = new($"X25519 public key, {ControlLimits.KeyBytes} bytes"),
        ["ChallengeResponse.nonce"] = new($"{ControlLimits.NonceBytes} random bytes"),
        ["ChallengeResponse.network_id"] = new($"{ControlLimits.NetworkIdBytes} bytes"),
        ["ChallengeResponse.server_time_ms"] = new(Milliseconds),
        ["RegisterResponse.status"] = new("a known number"),
        ["RegisterResponse.node_id"] = new(NodeId),
        ["RegisterResponse.name"] = new(Label, "RegisterRequest.hostname", "back to its own node, as a label"),
        ["RegisterResponse.addresses"] = new("2, given out by the coordinator"),
        ["RegisterResponse.approval_code"] = new("short code, made by the coordinator"),
        ["ReportResponse.observed"] = new("where the request came from", "the source of its TCP connection", "back to its own node"),
        ["RotateResponse.previous_until_ms"] = new(Milliseconds),
        ["RotateResponse.acknowledged"] = new(Flag),
        ["Snapshot.resume_token"] = new(Token),
        ["Snapshot.peers"] = new("the nodes that the policy lets this one see"),
        ["Snapshot.reset"] = new(Flag),
        ["Snapshot.server_time_ms"] = new(Milliseconds),
        ["NextRoot.pin"] = new($"SHA-256, {CoordinatorTrust.PinBytes} bytes"),
        ["NextRoot.signature"] = new($"ECDSA P-256 by the present root, {ControlLimits.SignatureBytes} bytes"),
        ["Delta.resume_token"] = new(Token),
        ["Delta.upserts"] = new("nodes that the policy lets this one see"),
        ["Delta.removals"] = new(NodeId),
        ["Delta.presences"] = new("nodes that the policy lets this one see"),
        ["KeepAlive.server_time_ms"] = new(Milliseconds),
        ["Notice.kind"] = new("a known number"),
        ["Reach.node_id"] = new(NodeId, "the machine key that asked", "as the id that the coordinator gave it"),
        ["Reach.endpoints"] = new(EndpointList, "ReachRequest.endpoints", "each address, port and source as Endpoint says below"),
        ["Self.node_id"] = new(NodeId),
        ["Self.name"] = new(Label, "RegisterRequest.hostname", "back to its own node, as a label"),
        ["Self.addresses"] = new("2, given out by the coordinator"),
        ["Self.owner_id"] = new("64 bit, given out by the coordinator"),
        ["Self.class_id"] = new("64 bit, made by the coordinator from the policy"),
        ["Self.expires_at_ms"] = new(Milliseconds),
        ["Self.node_key"] = new(Key, "NodeKeyProof.node_key", "back to its own node"),
        ["Self.rotate_key_at_ms"] = new(Milliseconds),
        ["Self.observed"] = new("where the poll came from", "the source of its TCP connection", "back to its own node"),
        ["Peer.node_id"] = new(NodeId),
        ["Peer.kind"] = new("a known number"),
        ["Peer.owner_id"] = new("64 bit, given out by the coordinator"),
        ["Peer.class_id"] = new("64 bit, made by the coordinator from the policy"),
        ["Peer.prefixes"] = new($"{PrefixList}; given out by the coordinator"),
        ["Peer.name"] = new(Label, "RegisterRequest.hostname", "made a unique label"),
        ["Peer.expires_at_ms"] = new(Milliseconds),
        ["Peer.capabilities"] = new(
            $"at most {ControlLimits.Capabilities} known numbers", "RequestHeader.capabilities", "unknown numbers are dropped"),
        ["Peer.node_key"] = new(Key, "NodeKeyProof.node_key", "as it was proven"),
        ["Peer.previous_node_key"] = new($"{Key}; empty but for five minutes after a rotation", "NodeKeyProof.node_key", "as it was proven"),
        ["KeySignature.kind"] = new("a known number; none exists yet"),
        ["KeySignature.signature"] = new($"at most {ControlLimits.KeySignatureBytes} bytes; empty until keys are signed by the customer"),
        ["PeerPresence.node_id"] = new(NodeId),
        ["PeerPresence.online"] = new(Flag, "whether its poll is open", ""),
        ["PeerPresence.endpoints"] = new(
            EndpointList, "ReportRequest.endpoints", "each address, port and source as Endpoint says below; and the address that the coordinator saw with ReportRequest.listen_port"),
        ["Prefix.address"] = new("4 or 16 bytes"),
        ["Prefix.length"] = new("0 to 128"),
        ["Prefix.primary"] = new(Flag),
        ["PacketFilter.ingress"] = new($"at most {ControlLimits.FilterRules}, from the policy"),
        ["PacketFilter.egress"] = new($"at most {ControlLimits.FilterRules}, from the policy"),
        ["FilterRule.classes"] = new("64 bit each, from the policy"),
        ["FilterRule.protocols"] = new("0 to 255 each, from the policy"),
        ["FilterRule.ports"] = new("from the policy"),
        ["FilterRule.destinations"] = new("from the policy"),
        ["FilterRule.sources"] = new("from the policy"),
        ["FilterRule.same_owner"] = new(Flag),
        ["FilterRule.ip_version"] = new("4, 6 or 0, from the policy"),
        ["PortRange.first"] = new("0 to 65535"),
        ["PortRange.last"] = new("0 to 65535"),
    };
}

/// <param name="Bound">Length, range or alphabet.</param>
/// <param name="From">What of a node's words it carries on to a node; null when the coordinator makes it.</param>
/// <param name="How">What becomes of it on the way.</param>
internal sealed record ChannelRule(string Bound, string? From = null, string How = "");
