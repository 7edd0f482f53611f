using System.CommandLine;
using Mesh.Coordinator.Admin;
using Mesh.Protocol;

namespace Mesh.Coordinator.Cli;

/// <summary>The options that say which coordinator an admin verb asks, and the client that they lead to.</summary>
internal sealed class AdminTarget
{
    public const string TokenVariable = "MESH_TOKEN";

    private const int MaxTokenFileBytes = 4096;
    private const UnixFileMode OthersMayRead = UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private readonly Option<string?> _stateDir = new("--state-dir")
    {
        Description = "On the coordinator's own machine: its state directory; the admin socket is there", HelpName = "DIR",
    };

    private readonly Option<string?> _coordinator = new("--coordinator")
    {
        Description = "From anywhere: mesh://HOST:PORT/PIN, as 'status' and 'tokens create' print it", HelpName = "LINK",
    };

    private readonly Option<string?> _tokenFile = new("--token-file")
    {
        Description = $"With --coordinator: the file that holds the admin token; without it {TokenVariable} is taken", HelpName = "FILE",
    };

    public IEnumerable<Option> Options => [_stateDir, _coordinator, _tokenFile];

    /// <exception cref="CliFailure">The options do not say which coordinator, or the token is missing.</exception>
    public AdminClient Connect(Terminal terminal, ParseResult line)
    {
        string? stateDir = line.GetValue(_stateDir), coordinator = line.GetValue(_coordinator), tokenFile = line.GetValue(_tokenFile);
        if (stateDir is null == coordinator is null)
        {
            throw new CliFailure(ExitCode.Usage, "say which coordinator: one of --state-dir and --coordinator",
                "on its own machine --state-dir DIR; from elsewhere --coordinator mesh://HOST:PORT/PIN --token-file FILE");
        }
        if (stateDir is not null)
        {
            return tokenFile is null
                ? AdminClient.OverSocket(stateDir)
                : throw new CliFailure(ExitCode.Usage, "--token-file goes with --coordinator; the admin socket asks for no token");
        }
        if (!JoinLink.TryParse(coordinator!, out var link, out string? error)) throw new CliFailure(ExitCode.Usage, $"--coordinator: {error}");
        if (link.Network is not null)
        {
            throw new CliFailure(ExitCode.Usage, "--coordinator takes an address, not a join link",
                "say mesh://HOST:PORT/PIN with the admin port; 'mesh-coordinator status' prints it as \"admin\"");
        }
        return AdminClient.OverNetwork(link, ReadToken(terminal, tokenFile));
    }

    private static string ReadToken(Terminal terminal, string? file)
    {
        string? token = file is null ? terminal.Environment(TokenVariable) : ReadFile(terminal, file);
        token = token?.Trim();
        if (string.IsNullOrEmpty(token))
        {
            throw new CliFailure(ExitCode.Usage, file is null ? $"no admin token: neither --token-file nor {TokenVariable} is given" : $"{file} holds no admin token",
                "on the coordinator's machine, 'mesh-coordinator tokens create NAME --state-dir DIR' prints one");
        }
        // It goes nowhere unless it is one; a password pasted here by mistake stays here.
        return AdminTokenText.TryHash(token, out _) ? token
            : throw new CliFailure(ExitCode.Usage, $"what {file ?? TokenVariable} holds is not an admin token", $"a token starts with {AdminTokenText.Prefix} and has {AdminTokenText.Chars} characters");
    }

    private static string ReadFile(Terminal terminal, string file)
    {
        try
        {
            if (new FileInfo(file) is { Exists: true, Length: > MaxTokenFileBytes }) throw new CliFailure(ExitCode.Usage, $"{file} is too large to be an admin token");
            string text = File.ReadAllText(file);
            if ((File.GetUnixFileMode(file) & OthersMayRead) != 0) terminal.Note($"mesh-coordinator: others may read the token in {file}; chmod 600 it");
            return text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliFailure(ExitCode.Usage, $"the token file cannot be read: {e.Message}");
        }
    }
}
