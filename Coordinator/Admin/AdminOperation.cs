using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;

namespace Mesh.Coordinator.Admin;

/// <summary>
/// What an address of the admin API takes and answers. Every endpoint carries one: requests are held to it, and the API's
/// document is written from it.
/// </summary>
/// <param name="Id">Unique; never changes.</param>
/// <param name="Summary">One sentence for people.</param>
internal sealed record AdminOperation(string Id, string Summary) : IRequestSizeLimitMetadata
{
    /// <summary>The body; null for none.</summary>
    public JsonTypeInfo? Request { get; init; }

    /// <summary>Of the body, in bytes; routing holds requests to it.</summary>
    public long? MaxRequestBodySize { get; init; } = AdminListener.BodyBytes;

    /// <summary>What a success answers; null for something else than JSON.</summary>
    public JsonTypeInfo? Response { get; init; }

    public int Status { get; init; } = StatusCodes.Status200OK;

    /// <summary>Of the answer when it is not JSON.</summary>
    public string ContentType { get; init; } = "application/json";

    public IReadOnlyList<AdminQueryParameter> Query { get; init; } = [];

    /// <summary>The answer has an ETag, or, of a change, If-Match is honoured.</summary>
    public bool Tagged { get; init; }
}

/// <param name="Most">Of a number: the largest; null for a text.</param>
internal sealed record AdminQueryParameter(string Name, string Description, long Least = 0, long? Most = null)
{
    public bool Required { get; init; }
}

internal static class AdminOperationExtensions
{
    public static void Describe(this IEndpointConventionBuilder endpoint, AdminOperation operation) => endpoint.WithMetadata(operation);
}
