using System.Text;
using System.Text.Json;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>A value of a policy's text, with its place.</summary>
internal sealed class PolicyJson(JsonValueKind kind, PolicyPosition position, string text = "")
{
    public JsonValueKind Kind { get; } = kind;

    public PolicyPosition Position { get; } = position;

    /// <summary>A string's value, a number as it is written.</summary>
    public string Text { get; } = text;

    /// <summary>Of an array.</summary>
    public List<PolicyJson> Items { get; } = [];

    /// <summary>Of an object, in the order of the text, without duplicates.</summary>
    public List<PolicyMember> Members { get; } = [];

    /// <summary>What messages call the kind.</summary>
    public string KindName => Kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };

    /// <summary>Compact JSON with sorted keys, so that equal values are equal texts.</summary>
    public void WriteTo(Utf8JsonWriter writer)
    {
        switch (Kind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var member in Members.OrderBy(member => member.Name, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(member.Name);
                    member.Value.WriteTo(writer);
                }
                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in Items) item.WriteTo(writer);
                writer.WriteEndArray();
                break;
            case JsonValueKind.String:
                writer.WriteStringValue(Text);
                break;
            case JsonValueKind.Number:
                writer.WriteRawValue(Text);
                break;
            case JsonValueKind.True or JsonValueKind.False:
                writer.WriteBooleanValue(Kind == JsonValueKind.True);
                break;
            default:
                writer.WriteNullValue();
                break;
        }
    }

    public string ToCompactText()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream)) WriteTo(writer);
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}

/// <summary>A member of an object, and where its name stands.</summary>
internal sealed record PolicyMember(string Name, PolicyPosition Position, PolicyJson Value);
