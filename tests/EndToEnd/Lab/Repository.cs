namespace Mesh.EndToEnd.Lab;

/// <summary>Where the clone under test stands.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>A program that scripts/build made.</summary>
    public static string Program(string name)
    {
        var path = Path.Combine(Environment.GetEnvironmentVariable("MESH_BIN") ?? Path.Combine(Root, "artifacts", "bin"), name);
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing; run scripts/build first");
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Mesh.sln")))
                return folder.FullName;
        }

        throw new DirectoryNotFoundException($"No Mesh.sln above {AppContext.BaseDirectory}");
    }
}
