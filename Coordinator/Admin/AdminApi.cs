using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Registration;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Admin;

/// <summary>A problem as an exception, for the admin API: its callers are few and local.</summary>
internal sealed class ProblemException(Problem problem) : Exception(problem.Detail)
{
    public Problem Problem { get; } = problem;
}

/// <summary>
/// The admin API: JSON in and out, problem+json for whatever goes wrong. One line a route; what they do stands in
/// <see cref="AdminQueries"/> and <see cref="AdminCommands"/>; what they take and answer, in their <see cref="AdminOperation"/>.
/// </summary>
internal static partial class AdminApi
{
    /// <summary>Of every answer: the coordinator's version, so that a client of another can say so.</summary>
    public const string VersionHeader = "Mesh-Version";

    /// <param name="gate">What requests pass that come over the network; null for the socket, whose file rights say who may.</param>
    public static void Map(WebApplication app, AdminContext admin, AdminGate? gate, ILogger log)
    {
        app.Use((context, next) => GuardAsync(context, next, log));
        if (gate is not null) app.Use(gate.PassAsync);
        else app.Use(AdminListener.PassAsync);
        app.UseRouting();
        app.Use(RequestShape.CheckAsync);
        app.MapGet("/v1/status", c => Json(c, AdminQueries.Status(admin), AdminJson.Default.StatusModel))
            .Describe(new("getStatus", "How the coordinator is.") { Response = AdminJson.Default.StatusModel });
        byte[]? document = null;
        app.MapGet("/v1/openapi.json", c =>
        {
            c.Response.ContentType = "application/json";
            document ??= OpenApiDocument.Write(((IEndpointRouteBuilder)app).DataSources);
            return c.Response.Body.WriteAsync(document, c.RequestAborted).AsTask();
        }).Describe(new("getDocument", "This document."));
        MapTokens(app, admin);
        MapNetworks(app, admin);
        MapNodes(app, admin);
        MapUsers(app, admin);
        MapKeys(app, admin);
        MapPolicy(app, admin);
        MapLog(app, admin);
        MapRoot(app, admin);
    }

    private static void MapTokens(WebApplication app, AdminContext admin)
    {
        app.MapGet("/v1/tokens", c => Json(c, AdminQueries.Tokens(admin, Page.Of(c)), AdminJson.Default.ListModelTokenModel))
            .Describe(new("listTokens", "The admin tokens, without their secrets.") { Response = AdminJson.Default.ListModelTokenModel, Query = Page.Query });
        app.MapPost("/v1/tokens", async c => await Json(c,
                AdminCommands.CreateToken(admin, await ReadAsync(c, AdminJson.Default.CreateTokenModel), Caller.Of(c)),
                AdminJson.Default.CreatedTokenModel, StatusCodes.Status201Created))
            .Describe(new("createToken", "Makes an admin token and shows its secret this once.")
            {
                Request = AdminJson.Default.CreateTokenModel, Response = AdminJson.Default.CreatedTokenModel, Status = StatusCodes.Status201Created,
            });
        app.MapPost("/v1/tokens/{id}/revoke", c => Json(c,
                AdminQueries.Describe(admin.Tokens.Revoke(Id(c), Caller.Of(c).Actor), admin.Clock.GetUtcNow()), AdminJson.Default.TokenModel))
            .Describe(new("revokeToken", "Ends an admin token.") { Response = AdminJson.Default.TokenModel });
    }

    private static void MapKeys(WebApplication app, AdminContext admin)
    {
        app.MapGet("/v1/networks/{network}/keys",
                c => Json(c, AdminQueries.Keys(admin, Network(c, admin), Page.Of(c)), AdminJson.Default.ListModelKeyModel))
            .Describe(new("listKeys", "The pre-auth keys of a network, without their secrets.")
            {
                Response = AdminJson.Default.ListModelKeyModel, Query = Page.Query,
            });
        app.MapPost("/v1/networks/{network}/keys", async c => await Json(c,
                await AdminCommands.CreateKeyAsync(admin, Network(c, admin), await ReadAsync(c, AdminJson.Default.CreateKeyModel), Caller.Of(c)),
                AdminJson.Default.CreatedKeyModel, StatusCodes.Status201Created))
            .Describe(new("createKey", "Makes a pre-auth key and shows its secret and join link this once.")
            {
                Request = AdminJson.Default.CreateKeyModel, Response = AdminJson.Default.CreatedKeyModel, Status = StatusCodes.Status201Created,
            });
        app.MapPost("/v1/networks/{network}/keys/{id}/revoke", async c => await Json(c,
                await AdminCommands.RevokeKeyAsync(admin, Network(c, admin), Id(c), Caller.Of(c)), AdminJson.Default.KeyModel))
            .Describe(new("revokeKey", "Ends a pre-auth key; machines that it let in stay.") { Response = AdminJson.Default.KeyModel });
    }

    private static async Task GuardAsync(HttpContext context, RequestDelegate next, ILogger log)
    {
        context.Response.Headers[VersionHeader] = AdminQueries.Version;
        Problem problem;
        try
        {
            await next(context);
            // Routing answers what it does not know with a bare status.
            if (context.Response is { HasStarted: false, StatusCode: StatusCodes.Status404NotFound }) await Problems.NotFound.WriteAsync(context);
            if (context.Response is { HasStarted: false, StatusCode: StatusCodes.Status405MethodNotAllowed })
                await Problems.MethodNotAllowed.WriteAsync(context);
            return;
        }
        catch (ProblemException e)
        {
            problem = e.Problem;
        }
        catch (CommandRefusedException e)
        {
            problem = Refusals.ToProblem(e);
        }
        catch (LogStoreException e)
        {
            problem = Refusals.ToProblem(e) with { Detail = e.Message };
        }
        catch (BadHttpRequestException e)
        {
            problem = e.StatusCode == StatusCodes.Status413PayloadTooLarge ? Problems.TooLarge with { Field = "$" } : Problems.Malformed with { Field = "$" };
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            LogFault(log, context.Request.Path, e);
            problem = Problems.Internal;
        }
        await problem.WriteAsync(context);
    }

    private static Task Json<T>(HttpContext context, T body, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return JsonSerializer.SerializeAsync(context.Response.Body, body, type, context.RequestAborted);
    }

    /// <summary>As <see cref="Json"/>, with the entity tag of what is answered.</summary>
    private static Task Tagged<T>(HttpContext context, T body, JsonTypeInfo<T> type, string? tag)
    {
        if (tag is not null) context.Response.Headers.ETag = tag;
        return Json(context, body, type);
    }

    private static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var bytes = body.GetBuffer().AsMemory(0, (int)body.Length);
        try
        {
            return JsonSerializer.Deserialize(bytes.Span, type) ?? throw new ProblemException(Problems.Invalid("$", "is null"));
        }
        catch (JsonException e)
        {
            throw new ProblemException(RequestShape.ToProblem(e, bytes, type));
        }
    }

    private static NetworkHost Network(HttpContext context, AdminContext admin) =>
        admin.Networks.TryGet((string)context.GetRouteValue("network")!, out var network)
            ? network
            : throw new ProblemException(Problems.UnknownNetwork with
            {
                Detail = "This coordinator has no network of that name; 'mesh-coordinator networks list' shows them.", Field = "network",
            });

    private static ulong Id(HttpContext context) =>
        ulong.TryParse((string)context.GetRouteValue("id")!, NumberStyles.None, CultureInfo.InvariantCulture, out ulong id)
            ? id
            : throw new ProblemException(Problems.Invalid("id", "is not a number"));

    internal static long? Number(HttpContext context, string name, long least, long most)
    {
        string? text = context.Request.Query[name];
        if (text is null) return null;
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && value >= least && value <= most
            ? value
            : throw new ProblemException(Problems.Invalid(name, $"is not from {least} to {most}"));
    }

    [LoggerMessage(EventId = 1401, Level = LogLevel.Error, Message = "An admin request to {Path} failed")]
    private static partial void LogFault(ILogger logger, string path, Exception exception);
}

/// <summary>Who asks, and by which key he would repeat it.</summary>
internal readonly record struct Caller(Actor Actor, IdempotencyKey Key)
{
    public const int MaxKeyChars = 128;

    public static Caller Of(HttpContext context)
    {
        var actor = AdminListener.ActorOf(context);
        string? key = context.Request.Headers["Idempotency-Key"];
        if (key is { Length: > MaxKeyChars }) throw new ProblemException(Problems.Invalid("Idempotency-Key", $"is over {MaxKeyChars} characters"));
        return new Caller(actor, key is { Length: > 0 }
            ? IdempotencyKey.From($"{context.Request.Method} {context.Request.Path} {actor}", key)
            : IdempotencyKey.None);
    }
}
