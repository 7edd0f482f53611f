using System.Security.Cryptography;
using Google.Protobuf;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;
using Mesh.Crypto;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Http;

namespace Mesh.Coordinator.Registration;

/// <summary>How machines come into a network, change their key, and leave: challenge, register, rotate, logout.</summary>
internal sealed class RegistrationCalls(
    NetworkSet networks, ChallengeTable challenges, PreviousKeyRetirement retirement, WaitingRoom waiting, TimeProvider clock)
{
    public IEnumerable<NodeCall> Calls =>
    [
        NodeCall.Of(NodeApi.Challenge, ChallengeRequest.Parser, ChallengeAsync),
        NodeCall.Of(NodeApi.Register, RegisterRequest.Parser, RegisterAsync),
        NodeCall.Of(NodeApi.Rotate, RotateRequest.Parser, RotateAsync),
        NodeCall.Of(NodeApi.Logout, LogoutRequest.Parser, LogoutAsync),
    ];

    private ValueTask<NodeReply> ChallengeAsync(HttpContext context, MachineFeature machine, ChallengeRequest request)
    {
        if (networks.Find(request.Header, out var network) is { } problem) return new(problem);
        var id = network.Runtime.Id;
        if (challenges.Issue(machine.Id, id) is not { } challenge) return new(Problems.Busy);
        return new(NodeReply.Ok(new ChallengeResponse
        {
            ChallengeId = ByteString.CopyFrom(challenge.IdBytes()),
            ChallengeKey = ByteString.CopyFrom(challenge.Key.PublicKey.AsSpan()),
            Nonce = ByteString.CopyFrom(challenge.Nonce),
            NetworkId = ByteString.CopyFrom(id.ToArray()),
            ServerTimeMs = clock.GetUtcNow().ToUnixTimeMilliseconds(),
        }));
    }

    private async ValueTask<NodeReply> RegisterAsync(HttpContext context, MachineFeature machine, RegisterRequest request)
    {
        X25519PublicKey nodeKey = default;
        if ((networks.Find(request.Header, out var network)
            ?? RequestCheck.Proof(request.NodeKey)
            ?? RequestCheck.PreAuthKey(request.PreAuthKey)
            ?? RequestCheck.Hostname(request.Hostname)
            ?? RequestCheck.Host(request.Host)
            ?? Prove(machine, network, request.NodeKey, out nodeKey)) is { } problem) return problem;
        var facts = request.Host ?? new Protocol.Control.HostFacts();
        var command = new RegisterNode
        {
            MachineKey = new MachineKey(machine.SubjectPublicKeyInfo),
            NodeKey = nodeKey,
            PreAuthKey = request.PreAuthKey.Length == 0 ? null : request.PreAuthKey,
            Host = new Network.HostFacts(request.Hostname, facts.Os, facts.OsVersion, facts.Architecture, facts.MeshVersion)
            {
                Capabilities = PeerEntry.Known(request.Header.Capabilities),
            },
        };
        Network.Registration registration;
        try
        {
            registration = await network.Runtime.ExecuteAsync(command, ActorOf(network, machine), KeyOf(request.NodeKey));
        }
        catch (CommandRefusedException refusal) when (refusal.Reason == RefusalReason.PreAuthKeyRequired)
        {
            return await WaitAsync(context, network, command, request.Wait);
        }
        await network.Lifecycle.SightAsync(registration.Node);
        return registration.Node.Approved ? NodeReply.Ok(Answer(registration.Node)) : await WaitAsync(context, network, command, request.Wait);
    }

    /// <summary>Answers a machine that somebody has to let in, once it is or after a while.</summary>
    private async ValueTask<NodeReply> WaitAsync(HttpContext context, NetworkHost network, RegisterNode command, bool hold)
    {
        var source = context.Connection.RemoteIpAddress ?? System.Net.IPAddress.None;
        if (source.IsIPv4MappedToIPv6) source = source.MapToIPv4();
        if (waiting.Enter(network.Runtime.Id, command.MachineKey, command.NodeKey, command.Host, source) is not { } entry) return Problems.WaitingRoomFull;
        if (hold) await waiting.WaitAsync(entry, context.RequestAborted);
        // It may have been let in meanwhile, by whatever way.
        return network.Runtime.State.FindNode(command.MachineKey) is { } node && node.IsMember(clock.GetUtcNow()) && node.NodeKey == command.NodeKey
            ? NodeReply.Ok(Answer(node))
            : NodeReply.Ok(new RegisterResponse { Status = RegistrationStatus.Pending, ApprovalCode = entry.Code });
    }

    private async ValueTask<NodeReply> RotateAsync(HttpContext context, MachineFeature machine, RotateRequest request)
    {
        X25519PublicKey nodeKey = default;
        if ((networks.FindMember(request.Header, machine, out var network, out var node)
            ?? (request.NodeKey is null ? null
                : request.RetirePrevious ? Problems.Invalid("retire_previous", "does not go with a new key")
                : RequestCheck.Proof(request.NodeKey) ?? Prove(machine, network, request.NodeKey, out nodeKey))) is { } problem) return problem;
        if (request.NodeKey is not null)
            await network.Runtime.ExecuteAsync(new RotateNodeKey(node.Id, nodeKey), Actor.Node(node.Id), KeyOf(request.NodeKey));
        else if (request.RetirePrevious && node.PreviousNodeKey is { } previous)
            await network.Runtime.ExecuteAsync(new RetirePreviousNodeKey(node.Id, previous), Actor.Node(node.Id), IdempotencyKey.None);
        return NodeReply.Ok(new RotateResponse
        {
            PreviousUntilMs = retirement.DueFor(network, node.Id)?.ToUnixTimeMilliseconds() ?? 0,
            Acknowledged = retirement.Acknowledged(network, node.Id),
        });
    }

    private async ValueTask<NodeReply> LogoutAsync(HttpContext context, MachineFeature machine, LogoutRequest request)
    {
        if (networks.Find(request.Header, out var network) is { } problem) return problem;
        // Said again, it is as well: the answer to the first may have been lost.
        if (network.Runtime.State.FindByMachineKey(machine.Id) is not { } node) return NodeReply.Ok(new LogoutResponse());
        try
        {
            await network.Runtime.ExecuteAsync(new LogoutNode(node.Id), Actor.Node(node.Id), IdempotencyKey.None);
        }
        catch (CommandRefusedException refusal) when (refusal.Reason == RefusalReason.NodeUnknown)
        {
            // Another request was first.
        }
        return NodeReply.Ok(new LogoutResponse());
    }

    /// <summary>Uses the challenge up, whatever comes of it.</summary>
    private Problem? Prove(MachineFeature machine, NetworkHost network, NodeKeyProof proof, out X25519PublicKey nodeKey)
    {
        nodeKey = new X25519PublicKey(proof.NodeKey.Span);
        using var challenge = challenges.Take(proof.ChallengeId.Span, machine.Id, network.Runtime.Id);
        if (challenge is null)
        {
            return new Problem(403, ProblemType.Challenge, "Challenge unknown",
                "The challenge is unknown, used or older than a minute. Ask for a new one.", "node_key.challenge_id");
        }
        Span<byte> expected = stackalloc byte[ControlLimits.ProofBytes];
        bool computed = NodeKeyProofMac.TryCompute(
            challenge.Key, nodeKey, challenge.Nonce, machine.SubjectPublicKeyInfo, nodeKey, network.Runtime.Id.ToArray(), expected);
        return computed && CryptographicOperations.FixedTimeEquals(expected, proof.Proof.Span)
            ? null
            : new Problem(403, ProblemType.Proof, "Proof refused",
                "The proof does not show that the machine holds the node key.", "node_key.proof");
    }

    private static RegisterResponse Answer(Node node)
    {
        var response = new RegisterResponse
        {
            Status = RegistrationStatus.Registered, NodeId = node.Id, Name = node.Name,
        };
        response.Addresses.AddRange(PeerEntry.OwnPrefixes(node));
        return response;
    }

    private static Actor ActorOf(NetworkHost network, MachineFeature machine) =>
        network.Runtime.State.FindByMachineKey(machine.Id) is { } node
            ? Actor.Node(node.Id)
            : new Actor(ActorKind.Machine, System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(machine.Id.ToArray()));

    // A challenge is good once, so it names the intent.
    private static IdempotencyKey KeyOf(NodeKeyProof proof) => new(proof.ChallengeId.Span);
}
