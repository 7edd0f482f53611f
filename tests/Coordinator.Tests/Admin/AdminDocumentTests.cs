using System.Runtime.CompilerServices;
using System.Text.Json;
using Mesh.Coordinator.Tests.Cli;

namespace Mesh.Coordinator.Tests.Admin;

public sealed class AdminDocumentTests
{
    [Fact]
    public async Task The_committed_document_is_what_the_endpoints_say()
    {
        await using var coordinator = await ServedCoordinator.StartAsync();
        using var client = AdminSocket.Client(coordinator);
        string written = await client.GetStringAsync(new Uri("v1/openapi.json", UriKind.Relative));
        if (Environment.GetEnvironmentVariable("MESH_WRITE_ADMIN_API") == "1") await File.WriteAllTextAsync(DocumentPath(), written);
        Assert.True(await File.ReadAllTextAsync(DocumentPath()) == written,
            "docs/admin-api.json is not what the admin API serves. Review what changed, then write it anew: MESH_WRITE_ADMIN_API=1 dotnet run --project tests/Coordinator.Tests -- -class Mesh.Coordinator.Tests.Admin.AdminDocumentTests");
    }

    [Fact]
    public async Task Every_endpoint_is_described_and_every_reference_leads_somewhere()
    {
        await using var coordinator = await ServedCoordinator.StartAsync();
        var endpoints = AdminSocket.Endpoints(coordinator);
        Assert.All(endpoints, endpoint => Assert.NotNull(endpoint.Operation));
        Assert.Equal(endpoints.Count, endpoints.Select(endpoint => endpoint.Operation!.Id).Distinct().Count());
        using var client = AdminSocket.Client(coordinator);
        using var document = JsonDocument.Parse(await client.GetStringAsync(new Uri("v1/openapi.json", UriKind.Relative)));
        Assert.Equal("3.1.0", document.RootElement.GetProperty("openapi").GetString());
        var schemas = document.RootElement.GetProperty("components").GetProperty("schemas");
        foreach (string name in References(document.RootElement)) Assert.True(schemas.TryGetProperty(name, out _), name);
        Assert.Equal(endpoints.Count, document.RootElement.GetProperty("paths").EnumerateObject().Sum(path => path.Value.EnumerateObject().Count()));
    }

    private static IEnumerable<string> References(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(member =>
            member.Name == "$ref" ? [member.Value.GetString()!["#/components/schemas/".Length..]] : References(member.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(References),
        _ => [],
    };

    private static string DocumentPath([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", "docs", "admin-api.json"));
}
