using System.Collections.Immutable;
using System.Net;
using Google.Protobuf;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Presence;
using Mesh.Coordinator.Trust;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Endpoint = Mesh.Protocol.Control.Endpoint;

namespace Mesh.Coordinator.Map;

/// <summary>What members ask once they are in: the map, their reports, reaching a peer.</summary>
internal sealed class MapCalls(NetworkSet networks, CoordinatorKeys keys, ForkWatch forks, HostFactGate hostFacts)
{
    public IEnumerable<NodeCall> Calls =>
    [
        NodeCall.Of(NodeApi.Map, MapRequest.Parser, MapAsync, isPoll: true),
        NodeCall.Of(NodeApi.Report, ReportRequest.Parser, ReportAsync),
        NodeCall.Of(NodeApi.Reach, ReachRequest.Parser, ReachAsync),
    ];

    private async ValueTask<NodeReply> MapAsync(HttpContext context, MachineFeature machine, MapRequest request)
    {
        if ((networks.FindMember(request.Header, machine, out var network, out var node)
            ?? RequestCheck.AtMost("resume_token", request.ResumeToken, ControlLimits.ResumeTokenBytes)
            ?? RequestCheck.Exactly("boot_id", request.BootId, ControlLimits.BootIdBytes)
            ?? RequestCheck.Head("known_head", request.KnownHead)) is { } problem) return problem;

        var hub = network.Hub;
        await network.Lifecycle.SightAsync(node);
        // Every poll says what the node can do; an older or newer daemon of the same machine may say something else.
        ulong capabilities = PeerEntry.Known(request.Header.Capabilities);
        if (capabilities != node.Host.Capabilities && hostFacts.MayRecord(network, node.Id))
        {
            await network.Runtime.ExecuteAsync(
                new RecordHostFacts(node.Id, node.Host with { Capabilities = capabilities }), Actor.Node(node.Id), IdempotencyKey.None);
        }
        if (request.KnownHead is { } known) forks.Check(network, node.Id, known, keys);
        using var presence = network.Runtime.Presence.Connect(node.Id, request.BootId.Span);
        var session = new PollSession(hub, presence, Observed(context, 0), context.Response.BodyWriter, context.Abort,
            machine.Root, () => context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose());
        if (!hub.Open(session)) return Problems.ShuttingDown;
        try
        {
            _ = EndWhenSupersededAsync(session, presence);
            await using var aborted = context.RequestAborted.UnsafeRegister(static s => ((PollSession)s!).Aborted(), session);
            context.Response.ContentType = NodeApi.FramesContentType;
            var resumeFrom = request.ResumeToken.IsEmpty ? null : hub.Resume(request.ResumeToken.Span, node.Id);
            await session.RunAsync(resumeFrom, reset: resumeFrom is null && !request.ResumeToken.IsEmpty);
        }
        finally
        {
            hub.Close(session);
        }
        return NodeReply.Written;
    }

    private async ValueTask<NodeReply> ReportAsync(HttpContext context, MachineFeature machine, ReportRequest request)
    {
        ImmutableArray<PresenceEndpoint> endpoints = [];
        if ((networks.FindMember(request.Header, machine, out var network, out var node)
            ?? RequestCheck.Exactly("boot_id", request.BootId, ControlLimits.BootIdBytes)
            ?? RequestCheck.Endpoints("endpoints", request.Endpoints, out endpoints)
            ?? (request.ListenPort > ushort.MaxValue ? Problems.Invalid("listen_port", "is over 65535") : null)
            ?? RequestCheck.Host(request.Host)
            ?? RequestCheck.Fork(request.Fork)) is { } problem) return problem;

        await network.Lifecycle.SightAsync(node);
        var observed = Observed(context, context.Connection.RemotePort);
        if (request.ListenPort != 0 && endpoints.Length < ControlLimits.EndpointsPerNode)
        {
            var seen = new PresenceEndpoint(new IPAddress(observed.Address.Span), (ushort)request.ListenPort, EndpointSource.Observed);
            if (!endpoints.Any(e => e.Port == seen.Port && e.Address.Equals(seen.Address))) endpoints = endpoints.Add(seen);
        }
        network.Runtime.Presence.Report(node.Id, request.BootId.Span, endpoints);
        if (request.AppliedPosition != 0) network.Hub.NoteApplied(node.Id, request.AppliedPosition);
        if (request.Fork is { } fork) forks.Report(network, node.Id, fork, keys);
        if (request.Host is { } host)
        {
            var facts = node.Host with
            {
                Os = host.Os, OsVersion = host.OsVersion, Architecture = host.Architecture, MeshVersion = host.MeshVersion,
            };
            if (facts != node.Host && hostFacts.MayRecord(network, node.Id))
                await network.Runtime.ExecuteAsync(new RecordHostFacts(node.Id, facts), Actor.Node(node.Id), IdempotencyKey.None);
        }
        return NodeReply.Ok(new ReportResponse { Observed = observed });
    }

    private ValueTask<NodeReply> ReachAsync(HttpContext context, MachineFeature machine, ReachRequest request)
    {
        if ((networks.FindMember(request.Header, machine, out var network, out var node)
            ?? RequestCheck.Endpoints("endpoints", request.Endpoints, out _)) is { } problem) return new(problem);
        // Parsed and held to their bounds above; copied field by field, so that nothing unknown travels along.
        return network.Hub.Reach(node.Id, request.NodeId, request.Endpoints)
            ? new(NodeReply.Ok(new ReachResponse()))
            : new(new Problem(404, ProblemType.NotFound, "No such peer", "The network has no such peer, or the policy hides it.", "node_id"));
    }

    private static Endpoint Observed(HttpContext context, int port)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.Any;
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return new Endpoint { Address = ByteString.CopyFrom(address.GetAddressBytes()), Port = (uint)port, Source = EndpointSource.Observed };
    }

    private static async Task EndWhenSupersededAsync(PollSession session, PresenceSession presence)
    {
        session.End(await presence.Superseded switch
        {
            SessionEnd.OtherBoot => NoticeKind.DuplicateSession,
            SessionEnd.Forgotten => NoticeKind.Removed,
            _ => NoticeKind.Unspecified,
        });
    }
}
