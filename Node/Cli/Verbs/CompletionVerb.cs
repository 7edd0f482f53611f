using System.CommandLine;

namespace Mesh.Node.Cli.Verbs;

/// <summary>
/// <c>mesh completion</c>: prints what makes a shell complete verbs and options. The shell asks this program then, by
/// "[suggest:POSITION]" LINE.
/// </summary>
internal static class CompletionVerb
{
    private const string Program = "mesh";

    public static Command Create(CommandStreams streams)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", $"Prints the completion script of a shell.\n\nExample:\n  source <({Program} completion bash)") { shell };
        command.SetAction(async (parsed, _) =>
        {
            await streams.Output.WriteAsync(ScriptOf(parsed.GetRequiredValue(shell))).ConfigureAwait(false);
            return (int)ExitCode.Done;
        });
        return command;
    }

    /// <summary>Whether a shell asks what could come next.</summary>
    public static bool IsQuestion(string[] arguments) => arguments is [var first, ..] && first.StartsWith("[suggest", StringComparison.Ordinal);

    private static string ScriptOf(string shell)
    {
        using var reader = new StreamReader(typeof(CompletionVerb).Assembly.GetManifestResourceStream($"completion/{shell}")!);
        return reader.ReadToEnd().Replace("PROGRAM", Program, StringComparison.Ordinal).Replace("FUNCTION", Program, StringComparison.Ordinal);
    }
}
