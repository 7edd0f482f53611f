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
/// <see cref="AdminQueries"/> and <see cref="AdminCommands"/>.
/// </summary>
internal static partial class AdminApi
{
    public static void Map(WebApplication app, AdminContext admin, ILogger log)
    {
        app.Use((context, next) => GuardAsync(context, next, log));
        app.UseRouting();
        app.MapGet("/v1/status", c => Json(c, AdminQueries.Status(admin), AdminJson.Default.StatusModel));
        app.MapGet("/v1/root", c => Json(c, AdminQueries.Root(admin), AdminJson.Default.RootModel));
        MapNetworks(app, admin);
        MapNodes(app, admin);
        app.MapGet("/v1/networks", c => Json(c, AdminQueries.Networks(admin), AdminJson.Default.ListModelNetworkModel));
        app.MapGet("/v1/networks/{network}/keys",
            c => Json(c, AdminQueries.Keys(admin, Network(c, admin)), AdminJson.Default.ListModelKeyModel));
        app.MapPost("/v1/networks/{network}/keys", async c => await Json(c,
            await AdminCommands.CreateKeyAsync(admin, Network(c, admin), await ReadAsync(c, AdminJson.Default.CreateKeyModel), Caller.Of(c)),
            AdminJson.Default.CreatedKeyModel, StatusCodes.Status201Created));
        app.MapPost("/v1/networks/{network}/keys/{id}/revoke", async c => await Json(c,
            await AdminCommands.RevokeKeyAsync(admin, Network(c, admin), Id(c), Caller.Of(c)), AdminJson.Default.KeyModel));
        app.MapGet("/v1/networks/{network}/nodes",
            c => Json(c, AdminQueries.Nodes(admin, Network(c, admin)), AdminJson.Default.ListModelNodeModel));
        app.MapGet("/v1/networks/{network}/policy",
            c => Json(c, AdminQueries.Policy(Network(c, admin)), AdminJson.Default.PolicyModel));
        app.MapPut("/v1/networks/{network}/policy", async c => await Json(c,
            await AdminCommands.SetPolicyAsync(Network(c, admin), await ReadAsync(c, AdminJson.Default.PolicyModel), Caller.Of(c)),
            AdminJson.Default.PolicyModel));
        MapLog(app, admin);
    }

    private static async Task GuardAsync(HttpContext context, RequestDelegate next, ILogger log)
    {
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
            problem = e.StatusCode == StatusCodes.Status413PayloadTooLarge ? Problems.TooLarge : Problems.Malformed;
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

    private static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted)
                ?? throw new ProblemException(Problems.Invalid("$", "is null"));
        }
        catch (JsonException e)
        {
            throw new ProblemException(new Problem(400, ProblemType.Malformed, "Malformed body",
                $"The body is not what this address takes (line {e.LineNumber + 1}).", e.Path ?? "$"));
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
        ulong.TryParse((string)context.GetRouteValue("id")!, out ulong id)
            ? id
            : throw new ProblemException(Problems.Invalid("id", "is not a number"));

    private static long? Number(HttpContext context, string name, long least, long most)
    {
        string? text = context.Request.Query[name];
        if (text is null) return null;
        return long.TryParse(text, out long value) && value >= least && value <= most
            ? value
            : throw new ProblemException(Problems.Invalid(name, $"is not from {least} to {most}"));
    }

    [LoggerMessage(EventId = 1401, Level = LogLevel.Error, Message = "An admin request to {Path} failed")]
    private static partial void LogFault(ILogger logger, string path, Exception exception);
}

/// <summary>Who asks, and by which key he would repeat it.</summary>
internal readonly record struct Caller(Actor Actor, IdempotencyKey Key)
{
    public static Caller Of(HttpContext context)
    {
        var actor = AdminListener.ActorOf(context);
        string? key = context.Request.Headers["Idempotency-Key"];
        if (key is { Length: > 128 }) throw new ProblemException(Problems.Invalid("Idempotency-Key", "is over 128 characters"));
        return new Caller(actor, key is { Length: > 0 }
            ? IdempotencyKey.From($"{context.Request.Method} {context.Request.Path} {actor}", key)
            : IdempotencyKey.None);
    }
}
