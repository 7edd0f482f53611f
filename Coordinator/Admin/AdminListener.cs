using System.Net.Sockets;
using System.Runtime.InteropServices;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Coordinator.Admin;

/// <summary>
/// The admin API's unix socket. The file's rights (0600, in a directory of 0700) say who may use it. Should somebody have widened
/// them, the peer's user id still does: only this process's own user and root are heard. The log names it.
/// </summary>
internal static partial class AdminListener
{
    public const int BodyBytes = 64 * 1024;

    private const int SolSocket = 1;
    private const int SoPeerCred = 17;
    private const int MaxConnections = 256;

    public static void Configure(KestrelServerOptions kestrel, string socket)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = BodyBytes;
        kestrel.Limits.MaxConcurrentConnections = MaxConnections;
        kestrel.ListenUnixSocket(socket, listen => listen.Protocols = HttpProtocols.Http1);
    }

    /// <summary>Refuses whoever came to the socket by rights that it should not have.</summary>
    public static Task PassAsync(HttpContext context, RequestDelegate next) => MayUse(ActorOf(context), geteuid())
        ? next(context)
        : throw new ProblemException(new Problem(403, ProblemType.LocalOnly, "Not this user's socket",
            "The admin socket is for the user that runs the coordinator and for root; its rights were widened. Use an admin token: 'mesh-coordinator tokens create'."));

    /// <param name="own">The user id of this process.</param>
    internal static bool MayUse(Actor actor, uint own) => actor.Kind == ActorKind.LocalAdmin && (actor.Id == 0 || actor.Id == own);

    [LibraryImport("libc")]
    private static partial uint geteuid();

    /// <summary>Who asks: by his admin token, or as unix(7) vouches for him.</summary>
    public static Actor ActorOf(HttpContext context)
    {
        if (context.Features.Get<AdminToken>() is { } token) return new Actor(ActorKind.AdminToken, token.Id);
        if (context.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket) return Actor.LocalAdmin(uint.MaxValue);
        Span<byte> credentials = stackalloc byte[12]; // struct ucred: pid, uid, gid
        return socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials) == credentials.Length
            ? Actor.LocalAdmin(MemoryMarshal.Read<uint>(credentials[4..]))
            : Actor.LocalAdmin(uint.MaxValue);
    }
}
