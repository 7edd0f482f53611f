using System.CommandLine;
using Mesh.Node.Daemon;

namespace Mesh.Node.Cli;

/// <summary>Options that several verbs take. Each call makes one of its own: an option belongs to one command.</summary>
internal static class SharedOptions
{
    public static Option<string> Socket() => new("--socket")
    {
        Description = "The daemon's unix socket",
        HelpName = "PATH",
        DefaultValueFactory = _ => DaemonOptions.DefaultSocketPath,
    };

    public static Option<bool> Json() => new("--json") { Description = "Print JSON for scripts" };
}
