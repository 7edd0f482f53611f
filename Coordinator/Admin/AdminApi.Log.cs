using System.Text.Json;
using Google.Protobuf;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Mesh.Coordinator.Admin;

internal static partial class AdminApi
{
    private static void MapLog(WebApplication app, AdminContext admin)
    {
        app.MapGet("/v1/networks/{network}/log", async c => await Json(c,
                await AdminQueries.LogAsync(admin, Network(c, admin), Query(c, LogQuery.MaxEvents, LogQuery.MaxEvents), c.RequestAborted),
                AdminJson.Default.ListModelEventModel))
            .Describe(new("listEvents", "Who did what, when and to what in a network, oldest first.")
            {
                Response = AdminJson.Default.ListModelEventModel, Query = LogQuery.Parameters(LogQuery.MaxEvents),
            });
        app.MapGet("/v1/networks/{network}/log/export", c => ExportAsync(c, admin, Network(c, admin), Query(c, int.MaxValue, int.MaxValue)))
            .Describe(new("exportEvents", "The events of a network with their payloads, one JSON object a line.")
            {
                ContentType = "application/jsonl", Query = LogQuery.Parameters(int.MaxValue),
            });
        app.MapPost("/v1/networks/{network}/log/erase", c => EraseAsync(c, Network(c, admin)))
            .Describe(new("erase", "Erases a person's or a deleted machine's data from the log, which still verifies.")
            {
                Request = AdminJson.Default.EraseModel, Response = AdminJson.Default.ErasedModel,
            });
        app.MapGet("/v1/backup", c => BackupAsync(c, admin))
            .Describe(new("backup", "All networks, logs and keys; the root key only on the socket.") { ContentType = "application/x-tar" });
        app.MapPost("/v1/networks/{network}/log/verify", async c => await Json(c,
                await AdminQueries.VerifyAsync(admin, Network(c, admin), c.RequestAborted), AdminJson.Default.VerificationModel))
            .Describe(new("verifyLog", "Checks the log on disk against its chain and signed heads.") { Response = AdminJson.Default.VerificationModel });
    }

    private static async Task EraseAsync(HttpContext context, NetworkHost network)
    {
        var (model, caller) = (await ReadAsync(context, AdminJson.Default.EraseModel), Caller.Of(context));
        var positions = model switch
        {
            { User: { } user, Node: null } => await network.Runtime.EraseUserAsync(user, caller.Actor, caller.Key, context.RequestAborted),
            { User: null, Node: { } node } => await network.Runtime.EraseNodeAsync(node, caller.Actor, caller.Key, context.RequestAborted),
            _ => throw new ProblemException(Problems.Invalid("user", "is to be given, or node, and not both")),
        };
        await Json(context, new ErasedModel(positions), AdminJson.Default.ErasedModel);
    }

    /// <summary>The root key goes to those alone who could read it from the disk.</summary>
    private static async Task BackupAsync(HttpContext context, AdminContext admin)
    {
        bool withRootKey = Caller.Of(context).Actor.Kind == ActorKind.LocalAdmin;
        context.Response.ContentType = "application/x-tar";
        try
        {
            await new BackupWriter(admin.State, admin.Networks, admin.Keys, admin.Clock).WriteAsync(context.Response.Body, withRootKey, context.RequestAborted);
        }
        catch (Exception) when (context.Response.HasStarted)
        {
            context.Abort(); // So that nobody takes what he has for all there is.
            throw;
        }
    }

    private static LogQuery Query(HttpContext context, int limit, int maxLimit) => LogQuery.Of(
        context, Number(context, "after", 0, long.MaxValue) ?? 0, (int)(Number(context, "limit", 1, maxLimit) ?? limit));

    /// <summary>JSON lines, one event each, as they are read: the log may be larger than memory.</summary>
    private static async Task ExportAsync(HttpContext context, AdminContext admin, NetworkHost network, LogQuery query)
    {
        context.Response.ContentType = "application/jsonl";
        var formatter = new JsonFormatter(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));
        int written = 0;
        await using var writer = new Utf8JsonWriter(context.Response.Body);
        await foreach (var line in LogLine.ReadAsync(network.Runtime, admin.Tokens.NameOf, context.RequestAborted))
        {
            if (!query.Matches(line)) continue;
            WriteLine(writer, formatter, line);
            await writer.FlushAsync(context.RequestAborted);
            await context.Response.WriteAsync("\n", context.RequestAborted);
            writer.Reset();
            if (++written == query.Limit) break;
        }
    }

    private static void WriteLine(Utf8JsonWriter writer, JsonFormatter formatter, LogLine line)
    {
        writer.WriteStartObject();
        writer.WriteNumber("position", line.Position);
        writer.WriteString("time", line.Time);
        writer.WriteString("actor", line.Who);
        writer.WriteString("kind", line.Kind.ToString());
        if (line.NodeId != 0) writer.WriteNumber("node", line.NodeId);
        writer.WriteString("what", line.Text);
        writer.WriteString("hash", line.Event.Hash.ToString());
        if (line.Event.Payload is { } payload)
        {
            writer.WritePropertyName("payload");
            writer.WriteRawValue(formatter.Format(payload));
        }
        else
        {
            writer.WriteBoolean("erased", true);
        }
        writer.WriteEndObject();
    }
}
