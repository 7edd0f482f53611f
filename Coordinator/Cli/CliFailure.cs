namespace Mesh.Coordinator.Cli;

/// <summary>Why a verb did not do its work: what happened, and what to do about it.</summary>
internal sealed class CliFailure(int exitCode, string what, string? remedy = null) : Exception(what)
{
    public int ExitCode { get; } = exitCode;

    public string? Remedy { get; } = remedy;
}
