using System.Text.Json;

namespace Mesh.EndToEnd.Products;

/// <summary>What <c>mesh status --json</c> prints.</summary>
internal sealed record NodeStatus(SelfStatus Self, CoordinatorStatus Coordinator, IReadOnlyList<PeerStatus> Peers)
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    public static NodeStatus Parse(string json) =>
        JsonSerializer.Deserialize<NodeStatus>(json, Options) ?? throw new FormatException($"Not a status: {json}");
}

internal sealed record SelfStatus(string? Name, string? Network, IReadOnlyList<string>? Addresses, string? NodeKey, string? State)
{
    /// <summary>The address of a family, without a prefix length.</summary>
    public string Address(bool v6) =>
        (Addresses ?? []).Select(address => address.Split('/')[0]).Single(address => address.Contains(':') == v6);
}

internal sealed record CoordinatorStatus(bool Connected, long Position);

internal sealed record PeerStatus(
    string Name, IReadOnlyList<string> Addresses, bool Online, string Path, string? Endpoint, string? Reason,
    double? LatencyMs, long RxBytes, long TxBytes);
