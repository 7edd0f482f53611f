using System.CommandLine;

namespace Mesh.Coordinator.Cli;

/// <summary>What every verb that asks a running coordinator has in common.</summary>
internal static class AdminVerb
{
    /// <summary>A verb with the options of <see cref="AdminTarget"/> and --json.</summary>
    /// <param name="example">A command line that works, shown in --help.</param>
    /// <param name="run">Given the client, the parsed line and whether --json was said; its result is the exit code.</param>
    public static Command Create(
        string name, string description, string example, Terminal terminal, Func<AdminClient, ParseResult, bool, CancellationToken, Task<int>> run,
        params Symbol[] symbols)
    {
        var target = new AdminTarget();
        var json = CommonOptions.Json();
        var command = new Command(name, $"{description}\n\nExample:\n  mesh-coordinator {example}") { json };
        foreach (var option in target.Options) command.Options.Add(option);
        foreach (var symbol in symbols)
        {
            if (symbol is Option option) command.Options.Add(option);
            else command.Arguments.Add((Argument)symbol);
        }
        command.SetAction((line, cancellation) => GuardAsync(terminal, async () =>
        {
            using var client = target.Connect(terminal, line);
            return await run(client, line, line.GetValue(json), cancellation);
        }));
        return command;
    }

    /// <summary>Turns what went wrong into lines on stderr and an exit code.</summary>
    public static async Task<int> GuardAsync(Terminal terminal, Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (CliFailure failure)
        {
            terminal.Note($"mesh-coordinator: {failure.Message}");
            if (failure.Remedy is { } remedy) terminal.Note($"  {remedy}");
            return failure.ExitCode;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Refused;
        }
    }
}
