using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace Mesh.Coordinator.Hosting;

/// <summary>An answer that says what is wrong (RFC 9457).</summary>
/// <param name="Type">One of <see cref="Protocol.Control.ProblemType"/>.</param>
/// <param name="Detail">For people: what happened and what to do next. Holds nothing that the sender chose, and no secret.</param>
/// <param name="Field">The field at fault, by its path in the message.</param>
internal sealed record Problem(
    [property: JsonPropertyName("status")] int Status,
    [property: JsonPropertyName("type")] string Type,
    [property: JsonPropertyName("title")] string Title,
    [property: JsonPropertyName("detail")] string Detail,
    [property: JsonPropertyName("field")] string? Field = null)
{
    public const string ContentType = "application/problem+json";

    [JsonIgnore]
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Answers with the problem, unless an answer has begun already.</summary>
    public Task WriteAsync(HttpContext context)
    {
        if (context.Response.HasStarted) return Task.CompletedTask;
        context.Response.StatusCode = Status;
        context.Response.ContentType = ContentType;
        if (RetryAfter is { } wait)
            context.Response.Headers.RetryAfter = ((int)Math.Ceiling(wait.TotalSeconds)).ToString(System.Globalization.CultureInfo.InvariantCulture);
        byte[] body = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(this, ProblemJson.Default.Problem);
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Problem))]
internal sealed partial class ProblemJson : JsonSerializerContext;
