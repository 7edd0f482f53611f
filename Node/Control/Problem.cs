using System.Text.Json;

namespace Mesh.Node.Control;

/// <summary>What a node reads of a problem+json body (RFC 9457): its type and its detail, made fit for a terminal.</summary>
internal static class Problem
{
    private const int MaxChars = 300;

    /// <summary>Nulls for what is missing or unreadable. Never throws.</summary>
    public static (string? Type, string? Detail) Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 8 });
            if (document.RootElement.ValueKind != JsonValueKind.Object) return (null, null);
            return (Text(document.RootElement, "type"), Text(document.RootElement, "detail") ?? Text(document.RootElement, "title"));
        }
        catch (JsonException)
        {
            return (null, null);
        }
    }

    private static string? Text(JsonElement problem, string name)
    {
        if (!problem.TryGetProperty(name, out var value) || value.ValueKind != JsonValueKind.String) return null;
        // What a server says ends on terminals and in logs: one line, no control characters, bounded.
        string text = value.GetString()!;
        if (text.Length > MaxChars) text = text[..MaxChars];
        return string.Create(text.Length, text, static (output, source) =>
        {
            for (int i = 0; i < source.Length; i++) output[i] = char.IsControl(source[i]) ? ' ' : source[i];
        });
    }
}
