namespace Mesh.Node.Cli;

/// <summary>What a verb reads and writes.</summary>
internal sealed record CommandStreams(TextReader Input, TextWriter Output, TextWriter Error)
{
    public static CommandStreams OfConsole => new(Console.In, Console.Out, Console.Error);
}
