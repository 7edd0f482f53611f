using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Registration;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Hosting;

/// <summary>A call of the node API: parses its message and answers. Written once for each path.</summary>
/// <param name="IsPoll">Stays open; polls are counted apart from other requests.</param>
/// <param name="InvokeAsync">Answers with a message, a problem, or null when it has written its answer itself.</param>
internal sealed record NodeCall(
    string Path, bool IsPoll, MessageParser Parser, Func<HttpContext, MachineFeature, IMessage, ValueTask<NodeReply>> InvokeAsync)
{
    /// <summary>A call whose handler takes its own message type.</summary>
    public static NodeCall Of<TRequest>(
        string path, MessageParser<TRequest> parser, Func<HttpContext, MachineFeature, TRequest, ValueTask<NodeReply>> handler,
        bool isPoll = false)
        where TRequest : IMessage<TRequest> =>
        new(path, isPoll, parser.WithDiscardUnknownFields(true), (context, machine, message) => handler(context, machine, (TRequest)message));
}

/// <summary>What a call answers: a message, a problem, or nothing more.</summary>
internal readonly record struct NodeReply(IMessage? Message, Problem? Problem)
{
    /// <summary>The call has written its answer itself.</summary>
    public static NodeReply Written => default;

    public static implicit operator NodeReply(Problem problem) => new(null, problem);

    public static NodeReply Ok(IMessage message) => new(message, null);
}

/// <summary>
/// What every request of a node passes: rate, path, method, content type, size, parse. Whatever a stranger sends ends in a
/// typed problem; it is counted, and never logged one by one.
/// </summary>
internal sealed partial class NodeApiPipeline(
    IEnumerable<NodeCall> calls, AddressRateLimiter requests, AddressRateLimiter polls, CoordinatorMetrics metrics,
    ILogger<NodeApiPipeline> log)
{
    private readonly Dictionary<string, NodeCall> _calls = calls.ToDictionary(call => call.Path, StringComparer.Ordinal);

    public async Task HandleAsync(HttpContext context)
    {
        NodeReply reply;
        try
        {
            reply = await AnswerAsync(context);
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested || IsGone(e))
        {
            return;
        }
        catch (CommandRefusedException e)
        {
            reply = Refusals.ToProblem(e);
        }
        catch (LogStoreException e)
        {
            reply = Refusals.ToProblem(e);
        }
        catch (ObjectDisposedException)
        {
            reply = Problems.ShuttingDown;
        }
        catch (BadHttpRequestException e)
        {
            reply = e.StatusCode == StatusCodes.Status413PayloadTooLarge ? Problems.TooLarge : Problems.Malformed;
        }
        catch (Exception e)
        {
            // A fault of ours. Whoever asks can't make the log grow faster than the rate limit lets him ask.
            LogFault(log, _calls.ContainsKey(context.Request.Path.Value ?? "") ? context.Request.Path.Value! : "?", e);
            reply = Problems.Internal;
        }
        try
        {
            await WriteAsync(context, reply);
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested || IsGone(e))
        {
            // The sender went away before the answer.
        }
    }

    private async ValueTask<NodeReply> AnswerAsync(HttpContext context)
    {
        bool known = _calls.TryGetValue(context.Request.Path.Value ?? "", out var call);
        // Polls have a bucket of their own: a fleet that comes back must not shut out its own reports.
        var limiter = call is { IsPoll: true } ? polls : requests;
        if (context.Connection.RemoteIpAddress is { } address && !limiter.TryTake(address)) return Problems.RateLimited;
        if (!known || call is null) return Problems.NotFound;
        if (!HttpMethods.IsPost(context.Request.Method)) return Problems.MethodNotAllowed;
        if (context.Request.ContentType != NodeApi.MessageContentType) return Problems.UnsupportedMediaType;
        if (context.Features.Get<MachineFeature>() is not { } machine)
            throw new InvalidOperationException("A connection without a machine key got past the listener.");
        if (context.Request.ContentLength > ControlLimits.RequestBodyBytes) return Problems.TooLarge;

        IMessage message;
        try
        {
            if (await ReadAsync(context, call.Parser) is not { } parsed) return Problems.TooLarge;
            message = parsed;
        }
        catch (InvalidProtocolBufferException)
        {
            return Problems.Malformed;
        }
        return await call.InvokeAsync(context, machine, message);
    }

    /// <summary>The message, or null when the body is over its bound.</summary>
    private static async ValueTask<IMessage?> ReadAsync(HttpContext context, MessageParser parser)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(context.RequestAborted);
            if (result.Buffer.Length > ControlLimits.RequestBodyBytes) return null;
            if (result.IsCompleted)
            {
                var message = parser.ParseFrom(result.Buffer);
                reader.AdvanceTo(result.Buffer.End);
                return message;
            }
            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    private async Task WriteAsync(HttpContext context, NodeReply reply)
    {
        if (reply.Problem is { } problem)
        {
            metrics.Refused(problem.Type);
            await problem.WriteAsync(context);
        }
        else if (reply.Message is { } message)
        {
            context.Response.ContentType = NodeApi.MessageContentType;
            byte[] body = message.ToByteArray();
            context.Response.ContentLength = body.Length;
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
        }
    }

    private static bool IsGone(Exception e) => e is OperationCanceledException or ConnectionResetException or ConnectionAbortedException;

    [LoggerMessage(EventId = 1001, Level = LogLevel.Error, Message = "A request to {Path} failed")]
    private static partial void LogFault(ILogger logger, string path, Exception exception);
}
