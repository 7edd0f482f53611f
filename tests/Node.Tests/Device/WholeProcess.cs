namespace Mesh.Node.Tests.Device;

/// <summary>Tests that measure the process, and so run alone in it.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WholeProcess
{
    public const string Name = "measures the whole process";
}
