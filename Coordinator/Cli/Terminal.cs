using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Spectre.Console;

namespace Mesh.Coordinator.Cli;

/// <summary>Where a verb's words go: results to stdout, everything else to stderr. Replaced as a whole by tests.</summary>
internal sealed class Terminal(
    TextWriter output, TextWriter error, TextReader input, bool isInteractive, Func<string, string?>? environment = null)
{
    // A table that is piped somewhere is not wrapped to a terminal that isn't there.
    private const int PipedWidth = 400;

    public static Terminal OfProcess() => new(
        Console.Out, Console.Error, Console.In, !Console.IsInputRedirected && !Console.IsOutputRedirected && !Console.IsErrorRedirected);

    /// <summary>Somebody sits there who can answer a question.</summary>
    public bool IsInteractive { get; } = isInteractive;

    public string? Environment(string name) => (environment ?? System.Environment.GetEnvironmentVariable)(name);

    public TextWriter Error { get; } = error;

    public TextWriter Output { get; } = output;

    public void Line(string text) => Output.WriteLine(text);

    public void Note(string text) => Error.WriteLine(text);

    public void Json<T>(T value, JsonTypeInfo<T> type) => Output.WriteLine(JsonSerializer.Serialize(value, type));

    /// <summary>A table, or the words for an empty one.</summary>
    public void Table(string[] columns, IReadOnlyList<string[]> rows, string empty)
    {
        if (rows.Count == 0)
        {
            Note(empty);
            return;
        }
        var table = new Table().Border(TableBorder.None);
        foreach (string column in columns) table.AddColumn(new TableColumn(new Text(column)).NoWrap().PadRight(2));
        foreach (string[] row in rows) table.AddRow(row.Select(cell => new Text(cell)));
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Output) });
        if (!IsInteractive) console.Profile.Width = PipedWidth;
        console.Write(table);
    }

    /// <summary>Asks; anything but y or yes is no.</summary>
    public bool Confirm(string question)
    {
        Error.Write(question + " [y/N] ");
        return input.ReadLine()?.Trim().ToLowerInvariant() is "y" or "yes";
    }

    public static string Time(DateTimeOffset? time, string none = "-") =>
        time is { } known ? known.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) : none;
}
