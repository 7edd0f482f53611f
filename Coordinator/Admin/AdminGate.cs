using System.Net;
using Mesh.Coordinator.Hosting;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Http;

namespace Mesh.Coordinator.Admin;

/// <summary>
/// What every request over the network passes before anything looks at it: a rate for its address, and an admin token. Whoever
/// gets by has a <see cref="AdminToken"/> among the request's features.
/// </summary>
internal sealed class AdminGate(AdminTokens tokens, TimeProvider clock)
{
    /// <summary>Requests of one source address a second; four times as many at once.</summary>
    public const int RequestsPerSecond = 50;

    /// <summary>
    /// Answers of one source address a second that say what is wrong with a token. Others hear only that they are too many; a
    /// good token is taken all the same, so that nobody locks an administrator out who comes from the same address.
    /// </summary>
    private const int RefusalsPerSecond = 1;
    private const int RefusalsAtOnce = 10;

    private const string Scheme = "Bearer ";

    private readonly AddressRateLimiter _requests = new(clock, RequestsPerSecond, 4 * RequestsPerSecond);
    private readonly AddressRateLimiter _refusals = new(clock, RefusalsPerSecond, RefusalsAtOnce);

    public Task PassAsync(HttpContext context, RequestDelegate next)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        if (!_requests.TryTake(address)) throw new ProblemException(Problems.RateLimited);
        var header = context.Request.Headers.Authorization;
        if (header.Count == 1 && header[0] is { } value && value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            && tokens.Find(value[Scheme.Length..].Trim()) is { } token)
        {
            context.Features.Set(token);
            return next(context);
        }
        if (!_refusals.TryTake(address)) throw new ProblemException(Problems.RateLimited);
        context.Response.Headers.WWWAuthenticate = "Bearer";
        throw new ProblemException(new Problem(401, ProblemType.Token, "Admin token refused",
            "The request carries no admin token that is good here: unknown, expired or revoked. 'mesh-coordinator tokens create' makes one."));
    }
}
