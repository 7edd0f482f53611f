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
        if (!terminal.IsInteractive)
            throw new CliFailure(ExitCode.Usage, $"{verb} needs --yes when there is no terminal to ask on; nothing was changed");
        if (terminal.Confirm(question)) return true;
        terminal.Note("nothing was changed");
        return false;
    }

    public static System.CommandLine.Option<bool> Yes() => new("--yes") { Description = "Don't ask" };
}
