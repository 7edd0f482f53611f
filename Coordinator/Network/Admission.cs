using System.Collections.Immutable;
using Google.Protobuf;
using Mesh.Coordinator.Network.Events;
using Mesh.Crypto;
using Mesh.Protocol;

namespace Mesh.Coordinator.Network;

/// <summary>On what terms a machine comes in, by a key or by an administrator's word.</summary>
/// <param name="KeyId">0 for none.</param>
/// <param name="OwnerId">0 for nobody; so when there are tags.</param>
/// <param name="IsApproved">False: it gets its id, name and addresses, and waits.</param>
internal sealed record Admission(ulong KeyId, ulong OwnerId, string User, ImmutableArray<string> Tags, bool Ephemeral, bool IsApproved)
{
    /// <param name="node">The machine as the network knows it; null when it never saw it.</param>
    public Decision<Registration> Decide(
        NetworkState state, DecisionContext context, Node? node, MachineKey machineKey, X25519PublicKey nodeKey, HostFacts host) =>
        node is null ? DecideNew(state, context, machineKey, nodeKey, host) : DecideReturning(state, context, node, nodeKey);

    private Decision<Registration> DecideReturning(NetworkState state, DecisionContext context, Node node, X25519PublicKey nodeKey)
    {
        var e = new NodeReauthorized
        {
            Id = node.Id,
            NodeKey = ByteString.CopyFrom(nodeKey.AsSpan()),
            PreAuthKeyId = KeyId,
            User = User,
            OwnerId = OwnerId,
            Ephemeral = Ephemeral,
            Approved = IsApproved,
            ExpiresAtMs = state.Settings.EndOf(OwnerId, context.Now)?.ToUnixTimeMilliseconds() ?? 0,
        };
        e.Tags.AddRange(Tags);
        return new([e], after => new Registration(after.Nodes[node.Id], IsNew: false));
    }

    private Decision<Registration> DecideNew(
        NetworkState state, DecisionContext context, MachineKey machineKey, X25519PublicKey nodeKey, HostFacts host)
    {
        if (state.Nodes.Count >= NetworkLimits.Nodes)
            throw new CommandRefusedException(RefusalReason.LimitReached, "The network holds as many nodes as it may.");
        var ipv4 = state.Addresses.Next() ?? throw new CommandRefusedException(
            RefusalReason.AddressPoolExhausted, "The network has no free address. Delete nodes that are gone, or make a network with a larger pool.");
        var id = state.NextNodeId;
        var e = new NodeRegistered
        {
            Id = id,
            MachineSpki = ByteString.CopyFrom(machineKey.SubjectPublicKeyInfo),
            NodeKey = ByteString.CopyFrom(nodeKey.AsSpan()),
            Name = state.Names.FreeNameFor(DnsLabel.From(host.Hostname)),
            Ipv4 = ByteString.CopyFrom(ipv4.GetAddressBytes()),
            Ipv6 = ByteString.CopyFrom(state.Addresses.IPv6For(ipv4).GetAddressBytes()),
            PreAuthKeyId = KeyId,
            User = User,
            OwnerId = OwnerId,
            Ephemeral = Ephemeral,
            Approved = IsApproved,
            ExpiresAtMs = state.Settings.EndOf(OwnerId, context.Now)?.ToUnixTimeMilliseconds() ?? 0,
            Host = NetworkValues.Write(host),
        };
        e.Tags.AddRange(Tags);
        return new([e], after => new Registration(after.Nodes[id], IsNew: true));
    }
}
