using System.Text.Json;

namespace Mesh.Crypto.Tests;

/// <summary>
/// Vector files that the project does not carry. They lie in "vectors" under MESH_TEST_DATA, or else under "shared" beside
/// the repository. Without them a test counts as skipped.
/// </summary>
internal static class SharedVectors
{
    public static JsonDocument Open(string name)
    {
        string root = Environment.GetEnvironmentVariable("MESH_TEST_DATA") ?? Default() ?? "";
        string path = Path.Combine(root, "vectors", name);
        Assert.SkipUnless(File.Exists(path), $"no vectors/{name} in the shared test data; set MESH_TEST_DATA to their folder");
        return JsonDocument.Parse(File.ReadAllBytes(path));
    }

    public static byte[] Hex(this JsonElement element, string name) => Convert.FromHexString(element.GetProperty(name).GetString()!);

    private static string? Default()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Mesh.sln")))
                return Path.Combine(folder.Parent?.FullName ?? "/", "shared");
        return null;
    }
}
