namespace Mesh.Coordinator.Hosting;

/// <summary>Why the coordinator does not start: what happened, and what to do about it, each for a line on stderr.</summary>
/// <param name="exitCode">One of <see cref="Cli.ExitCode"/>.</param>
internal sealed class StartFailure(int exitCode, string what, string remedy, Exception? inner = null) : Exception(what, inner)
{
    public int ExitCode { get; } = exitCode;

    public string Remedy { get; } = remedy;
}
