namespace Mesh.Coordinator.Policy.Language;

/// <summary>A place in a policy's text: line and column, both from 1, the column in characters (UTF-16 units). 0 for no place.</summary>
public readonly record struct PolicyPosition(int Line, int Column)
{
    public override string ToString() => $"{Line}:{Column}";
}

/// <summary>One thing that is wrong with a policy.</summary>
/// <param name="Message">
/// What is wrong, in the reference implementation's words where they are known, since people search for them.
/// </param>
/// <param name="Suggestion">What was probably meant, as a question or an instruction; null for no idea.</param>
public sealed record PolicyProblem(PolicyPosition Position, string Message, string? Suggestion = null)
{
    public override string ToString()
    {
        string place = Position == default ? "" : $"{Position}: ";
        return Suggestion is null ? place + Message : $"{place}{Message}; {Suggestion}";
    }
}

/// <summary>A policy is refused, and nothing of it applies.</summary>
/// <param name="problems">At least one, in the order of the text.</param>
public sealed class PolicyRefusedException(IReadOnlyList<PolicyProblem> problems) : Exception(problems[0].Message)
{
    public PolicyRefusedException(PolicyPosition position, string message, string? suggestion = null)
        : this([new PolicyProblem(position, message, suggestion)])
    {
    }

    public IReadOnlyList<PolicyProblem> Problems { get; } = problems;
}
