using System.CommandLine;

namespace Mesh.Coordinator.Cli;

/// <summary>completion: prints what makes a shell complete verbs and options. The shell asks this program then, by "[suggest:POSITION]" LINE.</summary>
internal static class CompletionCommand
{
    private const string Program = "mesh-coordinator";

    public static Command Create(Terminal terminal)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", $"Prints the completion script of a shell.\n\nExample:\n  source <({Program} completion bash)") { shell };
        command.SetAction(line =>
        {
            terminal.Output.Write(ScriptOf(line.GetRequiredValue(shell)));
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>Whether a shell asks what could come next.</summary>
    public static bool IsQuestion(string[] args) => args is [var first, ..] && first.StartsWith("[suggest", StringComparison.Ordinal);

    private static string ScriptOf(string shell)
    {
        using var reader = new StreamReader(typeof(CompletionCommand).Assembly.GetManifestResourceStream($"completion/{shell}")!);
        return reader.ReadToEnd().Replace("PROGRAM", Program, StringComparison.Ordinal).Replace("FUNCTION", Program.Replace('-', '_'), StringComparison.Ordinal);
    }
}
