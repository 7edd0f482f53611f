namespace Mesh.Node.Cli;

/// <summary>A failure that a person has to know of: what happened and why in one line, what to do next in another.</summary>
public sealed class UserException(ExitCode code, string what, string? next = null, Exception? inner = null) : Exception(what, inner)
{
    public ExitCode Code { get; } = code;

    /// <summary>One sentence of advice, or null when there is nothing to do but read <see cref="Exception.Message"/>.</summary>
    public string? Next { get; } = next;
}
