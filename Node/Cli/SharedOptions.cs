using System.CommandLine;
using System.Globalization;
using Mesh.Node.Daemon;
using Mesh.Node.Device;

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

    public static Option<int?> Queues() => Number("--queues", "number of queues", DeviceQueue.MostQueues,
        "Packet threads in each direction, over which peers and connections are spread; left out: half the cores, 4 at most");

    /// <summary>A number from 1 on.</summary>
    /// <param name="what">It is, for the error.</param>
    public static Option<int?> Number(string name, string what, int most, string description) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= 1 && value <= most) return value;
            result.AddError($"{name} {text} is no {what}; give 1 to {most}");
            return null;
        },
    };

    public static Option<bool> Json() => new("--json") { Description = "Print JSON for scripts" };
}
