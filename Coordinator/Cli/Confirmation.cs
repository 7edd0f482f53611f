namespace Mesh.Coordinator.Cli;

/// <summary>Asking before something that cannot be taken back.</summary>
internal static class Confirmation
{
    /// <summary>True to go on. Without a terminal to ask on, --yes is needed.</summary>
    /// <param name="verb">As typed, such as "nodes delete".</param>
    /// <exception cref="CliFailure">There is nobody to ask.</exception>
    public static bool Given(Terminal terminal, bool yes, string verb, string question)
    {
        if (yes) return true;
        ThrowIfNobodyToAsk(terminal, yes, verb);
        if (terminal.Confirm(question)) return true;
        terminal.Note("nothing was changed");
        return false;
    }

    /// <summary>To say so before anything else is done.</summary>
    /// <inheritdoc cref="Given"/>
    public static void ThrowIfNobodyToAsk(Terminal terminal, bool yes, string verb)
    {
        if (!yes && !terminal.IsInteractive)
            throw new CliFailure(ExitCode.Usage, $"{verb} needs --yes when there is no terminal to ask on; nothing was changed");
    }

    public static System.CommandLine.Option<bool> Yes() => new("--yes") { Description = "Don't ask" };
}
