using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>
/// Reads HuJSON, which is JSON with comments and trailing commas. Time and memory are bounded by the text's length, the depth
/// by <see cref="PolicyLimits.Depth"/>; a key that stands twice in an object is refused.
/// </summary>
internal static class HuJson
{
    private static readonly JsonReaderOptions Options = new()
    {
        CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = PolicyLimits.Depth,
    };

    /// <exception cref="PolicyRefusedException">The text is too long or not HuJSON.</exception>
    public static PolicyJson Read(ReadOnlySpan<byte> utf8)
    {
        if (utf8.StartsWith(Encoding.UTF8.Preamble)) utf8 = utf8[Encoding.UTF8.Preamble.Length..];
        var lines = new LineIndex(utf8);
        if (utf8.Length > PolicyLimits.TextBytes)
        {
            throw new PolicyRefusedException(
                lines.PositionOf(utf8, PolicyLimits.TextBytes),
                $"the policy has {utf8.Length} bytes; at most {PolicyLimits.TextBytes} are taken", "remove what is not needed, or name groups and tags rather than hosts");
        }
        int invalid = FirstInvalid(utf8);
        if (invalid >= 0) throw new PolicyRefusedException(lines.PositionOf(utf8, invalid), "the policy is not UTF-8 text");
        try
        {
            return ReadWhole(utf8, lines);
        }
        catch (JsonException e)
        {
            throw new PolicyRefusedException(Position(utf8, lines, e), Describe(e));
        }
    }

    private static PolicyJson ReadWhole(ReadOnlySpan<byte> utf8, LineIndex lines)
    {
        var reader = new Utf8JsonReader(utf8, Options);
        PolicyJson? root = null;
        Stack<Open> open = [];
        string? name = null;
        PolicyPosition namePosition = default;
        while (reader.Read())
        {
            var position = lines.PositionOf(utf8, (int)reader.TokenStartIndex);
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    name = TextOf(ref reader, position);
                    namePosition = position;
                    if (!open.Peek().Names!.Add(name))
                        throw new PolicyRefusedException(position, $"duplicate key {Quote(name)}", "keep one of the two");
                    continue;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    open.Pop();
                    continue;
            }
            var value = new PolicyJson(KindOf(reader.TokenType), position, reader.TokenType switch
            {
                JsonTokenType.String => TextOf(ref reader, position),
                JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
                _ => "",
            });
            if (!open.TryPeek(out var parent)) root = value;
            else if (parent.Names is null) parent.Value.Items.Add(value);
            else parent.Value.Members.Add(new PolicyMember(name!, namePosition, value));
            if (value.Kind == JsonValueKind.Object) open.Push(new Open(value, new HashSet<string>(StringComparer.OrdinalIgnoreCase)));
            else if (value.Kind == JsonValueKind.Array) open.Push(new Open(value, null));
        }
        return root!;
    }

    /// <summary>As a name of the text is said back: control characters, which act on terminals, stand there as escapes.</summary>
    internal static string Quote(string text) => $"\"{(text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? $"\\u{(int)c:x4}" : $"{c}")) : text)}\"";

    private static string TextOf(ref Utf8JsonReader reader, PolicyPosition position)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new PolicyRefusedException(position, "a \\u escape that is half of a character");
        }
    }

    private static JsonValueKind KindOf(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => JsonValueKind.Object,
        JsonTokenType.StartArray => JsonValueKind.Array,
        JsonTokenType.String => JsonValueKind.String,
        JsonTokenType.Number => JsonValueKind.Number,
        JsonTokenType.True => JsonValueKind.True,
        JsonTokenType.False => JsonValueKind.False,
        _ => JsonValueKind.Null,
    };

    private static int FirstInvalid(ReadOnlySpan<byte> utf8)
    {
        if (Utf8.IsValid(utf8)) return -1;
        int at = 0;
        while (Rune.DecodeFromUtf8(utf8[at..], out _, out int length) == OperationStatus.Done) at += length;
        return at;
    }

    private static PolicyPosition Position(ReadOnlySpan<byte> utf8, LineIndex lines, JsonException e) =>
        lines.PositionOf(utf8, lines.Start((int)(e.LineNumber ?? 0)) + (int)(e.BytePositionInLine ?? 0));

    /// <summary>The reader's own words without its addendum of line and byte.</summary>
    private static string Describe(JsonException e)
    {
        if (e.Message.Contains("depth", StringComparison.OrdinalIgnoreCase))
            return $"more than {PolicyLimits.Depth} objects and arrays within each other";
        int end = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return "not HuJSON: " + (end < 0 ? e.Message : e.Message[..end]);
    }

    private sealed record Open(PolicyJson Value, HashSet<string>? Names);

    /// <summary>Where the lines begin, to turn a byte's index into line and column.</summary>
    private sealed class LineIndex
    {
        private readonly List<int> _starts = [0];
        private int _lastIndex;
        private PolicyPosition _last = new(1, 1);

        public LineIndex(ReadOnlySpan<byte> utf8)
        {
            // Of a text that is too long, only the end of what is taken is ever asked for.
            int length = Math.Min(utf8.Length, PolicyLimits.TextBytes);
            for (int i = 0; i < length; i++)
                if (utf8[i] == (byte)'\n') _starts.Add(i + 1);
        }

        public int Start(int line) => _starts[Math.Clamp(line, 0, _starts.Count - 1)];

        public PolicyPosition PositionOf(ReadOnlySpan<byte> utf8, int index)
        {
            index = Math.Clamp(index, 0, utf8.Length);
            int line = _starts.BinarySearch(index);
            if (line < 0) line = ~line - 1;
            // Tokens come in order: on from the last one, so that a text of one long line costs no more than one of many.
            var (from, column) = line + 1 == _last.Line && index >= _lastIndex ? (_lastIndex, _last.Column) : (_starts[line], 1);
            _lastIndex = index;
            return _last = new PolicyPosition(line + 1, column + Encoding.UTF8.GetCharCount(utf8[from..index]));
        }
    }
}
