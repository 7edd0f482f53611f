using System.Text.Json;
using System.Text.Json.Serialization;
using Mesh.Node.LocalApi;

namespace Mesh.Node.Cli;

/// <summary>One JSON object a line, every member present.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(NodeStatus))]
[JsonSerializable(typeof(PingReply))]
[JsonSerializable(typeof(UpAnswer))]
[JsonSerializable(typeof(WhyAnswer))]
[JsonSerializable(typeof(AddressesOutput))]
[JsonSerializable(typeof(StateOutput))]
internal sealed partial class OutputJson : JsonSerializerContext
{
    public static string Text<T>(T value) => JsonSerializer.Serialize(value, typeof(T), Default);
}

/// <summary>What <c>mesh ip --json</c> prints.</summary>
internal sealed record AddressesOutput(string Name, IReadOnlyList<string> Addresses);

/// <summary>What <c>mesh down --json</c> and <c>mesh logout --json</c> print.</summary>
internal sealed record StateOutput(string State);
