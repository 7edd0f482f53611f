using System.CommandLine;
using Mesh.Crypto;
using Mesh.Node.Cli.Verbs;

namespace Mesh.Node.Cli;

/// <summary>The command line of <c>mesh</c>: its verbs, and how their failures end.</summary>
internal static class MeshCommand
{
    public static async Task<int> RunAsync(string[] arguments, CommandStreams streams)
    {
        var root = Create(streams);
        var parsed = root.Parse(arguments);
        if (parsed.Errors.Count > 0 && !CompletionVerb.IsQuestion(arguments))
        {
            await streams.Error.WriteLineAsync($"mesh: {parsed.Errors[0].Message}").ConfigureAwait(false);
            await streams.Error.WriteLineAsync($"  See: {HelpOf(parsed)} --help").ConfigureAwait(false);
            return (int)ExitCode.Usage;
        }
        try
        {
            var configuration = new InvocationConfiguration
            {
                Output = streams.Output,
                Error = streams.Error,
                EnableDefaultExceptionHandler = false,
            };
            return await parsed.InvokeAsync(configuration).ConfigureAwait(false);
        }
        catch (UserException e)
        {
            await ReportAsync(streams.Error, e).ConfigureAwait(false);
            return (int)e.Code;
        }
        catch (CryptoUnavailableException e)
        {
            await ReportAsync(streams.Error, new UserException(ExitCode.Failed, e.Message)).ConfigureAwait(false);
            return (int)ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            return (int)ExitCode.Failed;
        }
    }

    /// <summary>At most two lines: what happened and why, and what to do next.</summary>
    public static async Task ReportAsync(TextWriter error, UserException e)
    {
        await error.WriteLineAsync($"mesh: {OneLine(e.Message)}").ConfigureAwait(false);
        if (e.Next is { } next) await error.WriteLineAsync($"  {OneLine(next)}").ConfigureAwait(false);
    }

    private static RootCommand Create(CommandStreams streams)
    {
        var root = new RootCommand("Joins this machine to a private WireGuard network, and shows how it stands.\n\n"
            + "Example:\n  sudo mesh daemon --state-dir /var/lib/mesh &\n  sudo mesh up -      (paste the join link, end with Enter)\n  sudo mesh status\n\n"
            + "Exit codes: " + ExitCodeTable.OneLine);
        root.Subcommands.Add(DaemonVerb.Create());
        root.Subcommands.Add(UpVerb.Create(streams));
        root.Subcommands.Add(DownVerb.Create(streams));
        root.Subcommands.Add(StatusVerb.Create(streams));
        root.Subcommands.Add(IpVerb.Create(streams));
        root.Subcommands.Add(PingVerb.Create(streams));
        root.Subcommands.Add(WhyVerb.Create(streams));
        root.Subcommands.Add(RotateVerb.Create(streams));
        root.Subcommands.Add(LogoutVerb.Create(streams));
        root.Subcommands.Add(CompletionVerb.Create(streams));
        root.Subcommands.Add(WgVerb.Create(streams));
        return root;
    }

    private static string HelpOf(ParseResult parsed) =>
        parsed.CommandResult.Command is RootCommand ? "mesh" : $"mesh {parsed.CommandResult.Command.Name}";

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
