using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>What was measured, as a table for people and as JSON.</summary>
internal sealed class Report(Samples samples, IReadOnlyList<Contender> contenders)
{
    private const string TableBegin = "<!-- bench-tunnel: table -->", TableEnd = "<!-- bench-tunnel: end -->";

    /// <summary>A markdown table of medians; ratios are between ours and the yardstick, and between ours and the newer one.</summary>
    public string Table()
    {
        Contender[] measured = [.. contenders.Where(contender => Row.All.Any(row => samples.Of(row, contender.Key) is not null))];
        bool newer = measured.Any(contender => contender.Key == Contender.Yardstick + "-new");
        List<string[]> lines = [["", .. measured.Select(contender => contender.Title), "ratio", .. newer ? (string[])["to the newer"] : []]];
        foreach (Row row in Row.All)
        {
            if (!measured.Any(contender => samples.Of(row, contender.Key) is not null)) continue;
            lines.Add([row.Title, .. measured.Select(contender => Text(samples.Of(row, contender.Key)?.Median, row.Format)),
                Text(Ratio(row, Contender.Yardstick), "0.00", "x"), .. newer ? (string[])[Text(Ratio(row, Contender.Yardstick + "-new"), "0.00", "x")] : []]);
        }
        int[] widths = [.. Enumerable.Range(0, lines[0].Length).Select(column => Math.Max(3, lines.Max(line => line[column].Length)))];
        string Line(string[] cells) => "| " + string.Join(" | ", cells.Select((cell, i) => i == 0 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))) + " |";
        string rule = "| " + string.Join(" | ", widths.Select((width, i) => i == 0 ? new string('-', width) : new string('-', width - 1) + ":")) + " |";
        return string.Join('\n', (string[])[Line(lines[0]), rule, .. lines.Skip(1).Select(Line)]) + "\n";
    }

    /// <summary>One object: for every figure ours, the others' beside it, and the ratio to Debian's wireguard-go.</summary>
    public string Json()
    {
        var all = new JsonObject();
        foreach (Row row in Row.All)
        {
            var one = new JsonObject { ["what"] = row.Title.TrimStart('—', ' ') };
            var spread = new JsonObject();
            foreach (Contender contender in contenders)
            {
                if (samples.Of(row, contender.Key) is not { } value) continue;
                one[contender.Key] = Round(value.Median);
                spread[contender.Key] = new JsonArray(Round(value.Least), Round(value.Most), value.Count);
            }
            if (spread.Count == 0) continue;
            if (Ratio(row, Contender.Yardstick) is { } ratio) one["ratio"] = Round(ratio);
            if (Ratio(row, Contender.Yardstick + "-new") is { } toNewer) one["ratioToNewer"] = Round(toNewer);
            one["leastMostRuns"] = spread;
            all[row.Key] = one;
        }
        return all.ToJsonString();
    }

    /// <summary>Puts the table between the marks in a document.</summary>
    public void WriteInto(string path)
    {
        string text = File.ReadAllText(path);
        int begin = text.IndexOf(TableBegin, StringComparison.Ordinal), end = text.IndexOf(TableEnd, StringComparison.Ordinal);
        if (begin < 0 || end < begin) throw new InvalidOperationException($"{path} has no place for the table: {TableBegin} ... {TableEnd}");
        var written = new StringBuilder(text[..begin]).Append(TableBegin).Append("\n\n").Append(Table()).Append('\n').Append(text[end..]);
        File.WriteAllText(path, written.ToString());
    }

    private double? Ratio(Row row, string other) =>
        row.HasRatio && samples.Of(row, Contender.Ours) is { } ours && samples.Of(row, other) is { Median: not 0 } theirs
            ? ours.Median / theirs.Median
            : null;

    private static JsonValue Round(double value) => JsonValue.Create(Math.Round(value, 3));

    private static string Text(double? value, string format, string unit = "") =>
        value is { } number ? number.ToString(format, CultureInfo.InvariantCulture) + unit : "";
}
