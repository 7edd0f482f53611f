namespace Mesh.Coordinator.Tests;

/// <summary>A directory for one test, gone afterwards.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("mesh-coordinator-test-").FullName;

    public static implicit operator string(TemporaryDirectory directory) => directory.Path;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
