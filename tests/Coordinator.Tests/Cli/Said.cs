using Mesh.Coordinator.Cli;

namespace Mesh.Coordinator.Tests.Cli;

/// <summary>What one run of the command line said, with no terminal to ask on.</summary>
internal sealed record Said(int ExitCode, string Output, string Error)
{
    public static Task<Said> ByAsync(params string[] arguments) => ByAsync(new Dictionary<string, string>(), arguments);

    public static async Task<Said> ByAsync(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int exitCode = await CommandLine.RunAsync(arguments, new Terminal(output, error, TextReader.Null, false, name => environment.GetValueOrDefault(name)));
        return new Said(exitCode, output.ToString(), error.ToString());
    }
}
