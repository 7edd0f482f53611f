using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mesh.Coordinator.Hosting;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Http;

namespace Mesh.Coordinator.Admin;

/// <summary>Holds a request against its <see cref="AdminOperation"/>: nothing unknown, nothing twice, a body only where one is read.</summary>
internal static class RequestShape
{
    private const int MaxFieldChars = 64;

    public static async Task CheckAsync(HttpContext context, RequestDelegate next)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<AdminOperation>() is { } operation)
        {
            foreach (var (name, values) in context.Request.Query)
            {
                if (operation.Query.All(parameter => parameter.Name != name))
                    throw new ProblemException(Problems.Invalid(IsPrintable(name) ? name : "?", "is no parameter of this address"));
                if (values.Count != 1) throw new ProblemException(Problems.Invalid(name, "is given more than once"));
            }
            if (operation.Request is null && await HasBodyAsync(context.Request))
                throw new ProblemException(Problems.Invalid("$", "this address takes no body"));
            if (operation.Request is not null && context.Request.ContentType is { } type && !context.Request.HasJsonContentType())
                throw new ProblemException(Problems.UnsupportedMediaType with { Detail = "The admin API takes application/json.", Field = "Content-Type" });
        }
        await next(context);
    }

    /// <summary>The problem of a body that was not read, with the field at fault.</summary>
    public static Problem ToProblem(JsonException e, ReadOnlyMemory<byte> body, JsonTypeInfo type)
    {
        string field = e.Path is null or "$" ? MissingField(body, type) ?? "$" : e.Path.StartsWith("$.", StringComparison.Ordinal) ? e.Path[2..] : e.Path;
        return new Problem(400, ProblemType.Malformed, "Malformed body", $"The body is not what this address takes (line {(e.LineNumber ?? 0) + 1}).",
            IsPrintable(field) ? field : "$");
    }

    private static async ValueTask<bool> HasBodyAsync(HttpRequest request)
    {
        if (request.ContentLength is { } length) return length > 0;
        byte[] one = new byte[1];
        return await request.Body.ReadAsync(one, request.HttpContext.RequestAborted) > 0;
    }

    private static string? MissingField(ReadOnlyMemory<byte> body, JsonTypeInfo type)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            if (document.RootElement.ValueKind != JsonValueKind.Object) return null;
            foreach (var property in type.Properties)
                if (property.IsRequired && !document.RootElement.TryGetProperty(property.Name, out _)) return property.Name;
            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // What the sender called a field goes back to him only as far as it can do no harm on a terminal.
    private static bool IsPrintable(string field) => field.Length is > 0 and <= MaxFieldChars && field.All(c => c is > ' ' and <= '~');
}
