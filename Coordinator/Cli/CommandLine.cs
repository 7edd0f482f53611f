using System.CommandLine;

namespace Mesh.Coordinator.Cli;

/// <summary>mesh-coordinator: every verb in one place.</summary>
internal static class CommandLine
{
    private const string Description = """
        mesh-coordinator runs a Mesh network's control plane and administers it.

        Start one, let everybody reach everybody, and print a link that joins a machine:
          mesh-coordinator serve --state-dir DIR --listen 0.0.0.0:8443
          mesh-coordinator policy set --allow-all --yes --state-dir DIR
          mesh-coordinator keys create --state-dir DIR

        Administer it from a laptop: serve with --admin-listen, make a token on the server, and keep it in a file there:
          mesh-coordinator serve --state-dir DIR --listen 0.0.0.0:8443 --admin-listen 0.0.0.0:8444 --public-host HOST:8443
          mesh-coordinator tokens create my-laptop --state-dir DIR
          mesh-coordinator status --coordinator mesh://HOST:8444/PIN --token-file FILE

        Exit codes: 0 done; 1 refused, or something is wrong; 2 wrong command line, nothing changed; 3 no coordinator
        answers, or not the one that the pin names; 4 the admin token is not good; 'serve --help' lists those of serve.
        """;

    public static async Task<int> RunAsync(string[] args, Terminal terminal)
    {
        var root = new RootCommand(Description)
        {
            ServeCommand.Create(terminal), StatusCommands.Status(terminal), KeysCommand.Create(terminal), UsersCommand.Create(terminal), NodesCommand.Create(terminal),
            PolicyCommand.Create(terminal), LogCommand.Create(terminal), NetworksCommand.Create(terminal), TokensCommand.Create(terminal),
            RootKeyCommand.Create(terminal),
            BackupCommands.Backup(terminal), BackupCommands.Restore(terminal), CompletionCommand.Create(terminal),
        };
        var line = root.Parse(args);
        if (line.Errors.Count > 0 && !CompletionCommand.IsQuestion(args))
        {
            foreach (var error in line.Errors) terminal.Note($"mesh-coordinator: {error.Message}");
            terminal.Note("  see 'mesh-coordinator --help', or --help after a verb");
            return ExitCode.Usage;
        }
        return await line.InvokeAsync(new InvocationConfiguration
        {
            Output = terminal.Output, Error = terminal.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null,
        });
    }
}
