using System.Buffers.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mesh.Node.Cli;
using Mesh.Node.Udp;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Node.State;

/// <summary>What this machine joined and what its user asked for. Holds no secret: a pre-auth key is used once and forgotten.</summary>
/// <param name="Host">Of the coordinator, without the brackets of IPv6.</param>
/// <param name="Pin">32 bytes.</param>
/// <param name="NetworkId">16 bytes, as the coordinator named the network at registration.</param>
/// <param name="NodeId">0 while the machine waits for approval.</param>
/// <param name="Hostname">What this machine calls itself.</param>
/// <param name="StaticEndpoints">Given by the user with --endpoint.</param>
/// <param name="Mtu">Of the tunnel interface.</param>
/// <param name="WantUp">False after <c>mesh down</c>: the next start of the daemon leaves the tunnel down.</param>
public sealed record JoinInfo(
    string Host, int Port, ReadOnlyMemory<byte> Pin, string Network, ReadOnlyMemory<byte> NetworkId, ulong NodeId, string Hostname,
    IReadOnlyList<UdpEndpoint> StaticEndpoints, int Mtu, bool WantUp)
{
    public const int DefaultMtu = 1280;
    public const int MinMtu = 1280;
    public const int MaxMtu = 65_000;

    /// <summary>The pin that the coordinator's root said will follow: 32 bytes, or empty.</summary>
    public ReadOnlyMemory<byte> NextPin { get; init; }

    public JoinLink Link => new(Host, Port, Pin, Network, null);

    public static JoinInfo? Load(StateDirectory state)
    {
        byte[]? json = AtomicFile.Read(state.JoinPath, 64 * 1024);
        if (json is null) return null;
        try
        {
            var stored = JsonSerializer.Deserialize(json, JoinFileContext.Default.JoinFile) ?? throw new JsonException("empty");
            return stored.ToJoinInfo();
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new UserException(ExitCode.StateUnusable, $"{state.JoinPath} is damaged: {e.Message}",
                "Restore it from a backup, or remove it and join again with a new link.", e);
        }
    }

    public void Save(StateDirectory state) =>
        AtomicFile.Write(state.JoinPath, JsonSerializer.SerializeToUtf8Bytes(JoinFile.From(this), JoinFileContext.Default.JoinFile));

    public static void Remove(StateDirectory state) => AtomicFile.Delete(state.JoinPath);
}

/// <summary>join.json as it stands on disk.</summary>
internal sealed record JoinFile(
    int Version, string Coordinator, string Network, string NetworkId, ulong NodeId, string Hostname, string[] Endpoints, int Mtu, bool Up,
    string? NextPin = null)
{
    private const int CurrentVersion = 1;

    public static JoinFile From(JoinInfo info) => new(
        CurrentVersion, info.Link.CoordinatorAddress, info.Network, Base64Url.EncodeToString(info.NetworkId.Span), info.NodeId, info.Hostname,
        [.. info.StaticEndpoints.Select(endpoint => endpoint.ToString())], info.Mtu, info.WantUp,
        info.NextPin.IsEmpty ? null : Base64Url.EncodeToString(info.NextPin.Span));

    public JoinInfo ToJoinInfo()
    {
        if (Version != CurrentVersion) throw new JsonException($"version {Version} is not one this daemon reads");
        if (!JoinLink.TryParse($"{Coordinator}/{Network}", out var link, out string? error) || link.Network is null)
            throw new JsonException(error ?? "no network");
        byte[] id = Base64Url.DecodeFromChars(NetworkId);
        if (id.Length != ControlLimits.NetworkIdBytes) throw new JsonException("the network id is not 16 bytes");
        if (Mtu is < JoinInfo.MinMtu or > JoinInfo.MaxMtu) throw new JsonException("the MTU is out of its range");
        var endpoints = Endpoints.Select(text => UdpEndpoint.Parse(text)).ToArray();
        byte[] next = NextPin is null ? [] : Base64Url.DecodeFromChars(NextPin);
        if (next.Length is not (0 or CoordinatorTrust.PinBytes)) throw new JsonException("the next pin is not 32 bytes");
        return new JoinInfo(link.Host, link.Port, link.Pin, link.Network, id, NodeId, Hostname, endpoints, Mtu, Up) { NextPin = next };
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(JoinFile))]
internal sealed partial class JoinFileContext : JsonSerializerContext;
