using System.CommandLine;

namespace Mesh.Coordinator.Cli;

/// <summary>The options that most verbs share.</summary>
internal static class CommonOptions
{
    public static Option<string> Network() => new("--network")
    {
        Description = "Which network", DefaultValueFactory = _ => Protocol.NetworkName.Default, HelpName = "NAME",
    };

    public static Option<bool> Json() => new("--json") { Description = "Print JSON" };
}
