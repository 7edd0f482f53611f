using System.Text;
using Google.Protobuf.Reflection;
using Mesh.Protocol.Control;

namespace Mesh.Protocol.Tests.Control;

/// <summary>Writes docs/channel.md from the descriptors and <see cref="ChannelRules"/>.</summary>
internal static class ChannelDocument
{
    private static readonly MessageDescriptor[] Requests =
    [
        ChallengeRequest.Descriptor, RegisterRequest.Descriptor, MapRequest.Descriptor, ReportRequest.Descriptor,
        ReachRequest.Descriptor, RotateRequest.Descriptor, LogoutRequest.Descriptor,
    ];

    private static readonly MessageDescriptor[] Answers =
    [
        ChallengeResponse.Descriptor, RegisterResponse.Descriptor, MapFrame.Descriptor, ReportResponse.Descriptor,
        ReachResponse.Descriptor, RotateResponse.Descriptor, LogoutResponse.Descriptor,
    ];

    /// <summary>Fields of the channel for which there is no rule, and rules for which there is no field.</summary>
    public static IReadOnlyList<string> Unreviewed()
    {
        var fields = Requests.Concat(Answers).SelectMany(FieldsOf).Select(NameOf).ToHashSet(StringComparer.Ordinal);
        return [.. fields.Where(name => !ChannelRules.All.ContainsKey(name)).Concat(ChannelRules.All.Keys.Where(name => !fields.Contains(name)))
            .Order(StringComparer.Ordinal)];
    }

    public static string Write()
    {
        var text = new StringBuilder("""
            # What crosses between nodes and the coordinator

            This list is made from the message descriptors (`Protocol/Control/node_api.proto`) and the rules in
            `tests/Protocol.Tests/Control/ChannelRules.cs`. A test fails when a field has no rule, or when this file is not what
            the two of them say. To write it anew after a reviewed change:

                MESH_WRITE_CHANNEL_MD=1 dotnet run --project tests/Protocol.Tests

            No field carries a payload: every one has a fixed length, or an alphabet and a bound, and the coordinator refuses what
            is outside of them. It holds no private key of a node, and no code that forwards packets.

            ## From a node through the coordinator to another node

            All that one node can make another one see. Nothing else of what a node says leaves the coordinator.

            | what a node gets | made of | bound or alphabet | on the way |
            | --- | --- | --- | --- |

            """);
        foreach (string name in Answers.SelectMany(FieldsOf).Select(NameOf).Distinct().Where(name => ChannelRules.All[name].From is not null))
        {
            var rule = ChannelRules.All[name];
            text.AppendLine($"| `{name}` | {Source(rule.From!)} | {rule.Bound} | {rule.How} |");
        }
        text.Append("\n## From a node to the coordinator\n\n");
        Tables(text, Requests);
        text.Append("## From the coordinator to a node\n\n");
        Tables(text, Answers);
        return text.ToString().TrimEnd() + "\n";
    }

    private static string Source(string from) => from.Contains('.', StringComparison.Ordinal) ? $"`{from}`" : from;

    private static void Tables(StringBuilder text, MessageDescriptor[] roots)
    {
        HashSet<string> written = [];
        foreach (var message in roots.SelectMany(root => MessagesOf(root, [])))
        {
            if (!written.Add(message.Name)) continue;
            text.Append($"### {message.Name}\n\n");
            if (message.Fields.InDeclarationOrder().Count == 0)
            {
                text.Append("Empty.\n\n");
                continue;
            }
            text.Append("| field | type | bound or alphabet |\n| --- | --- | --- |\n");
            foreach (var field in message.Fields.InDeclarationOrder())
            {
                string bound = ChannelRules.All.TryGetValue(NameOf(field), out var rule) ? rule.Bound : "one message";
                text.AppendLine($"| {field.Name} | {TypeOf(field)} | {bound} |");
            }
            text.Append('\n');
        }
    }

    private static string TypeOf(FieldDescriptor field)
    {
        string type = field.FieldType switch
        {
            FieldType.Message => field.MessageType.Name,
            FieldType.Enum => field.EnumType.Name,
            _ => field.FieldType.ToString().ToLowerInvariant(),
        };
        return field.IsRepeated ? "repeated " + type : type;
    }

    /// <summary>The message and all that its fields hold, each once.</summary>
    private static IEnumerable<MessageDescriptor> MessagesOf(MessageDescriptor message, HashSet<string> seen)
    {
        if (!seen.Add(message.FullName)) yield break;
        yield return message;
        foreach (var field in message.Fields.InDeclarationOrder().Where(f => f.FieldType == FieldType.Message))
            foreach (var inner in MessagesOf(field.MessageType, seen)) yield return inner;
    }

    /// <summary>Fields that say something by themselves: all but single messages, which stand for their fields.</summary>
    private static IEnumerable<FieldDescriptor> FieldsOf(MessageDescriptor root) => MessagesOf(root, [])
        .SelectMany(message => message.Fields.InDeclarationOrder())
        .Where(field => field.FieldType != FieldType.Message || field.IsRepeated || ChannelRules.All.ContainsKey(NameOf(field)));

    private static string NameOf(FieldDescriptor field) => $"{field.ContainingType.Name}.{field.Name}";
}
