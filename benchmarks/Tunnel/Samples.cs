using System.Globalization;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>All figures so far. With a file, what stands in it counts as well, so that one measurement can be split in several calls.</summary>
internal sealed class Samples
{
    private readonly Dictionary<(string Row, string Contender), List<double>> _values = [];
    private readonly string? _file;

    public Samples(string? file)
    {
        _file = file;
        if (file is null || !File.Exists(file)) return;
        foreach (string line in File.ReadLines(file))
            if (line.Split('\t') is [string row, string contender, string value])
                Take(row, contender, double.Parse(value, CultureInfo.InvariantCulture));
    }

    public void Add(Contender contender, Figure figure)
    {
        Take(figure.Row.Key, contender.Key, figure.Value);
        if (_file is not null) File.AppendAllText(_file, string.Create(CultureInfo.InvariantCulture, $"{figure.Row.Key}\t{contender.Key}\t{figure.Value}\n"));
    }

    /// <summary>Smallest, median and largest; null when it was not measured.</summary>
    public (double Least, double Median, double Most, int Count)? Of(Row row, string contender)
    {
        if (!_values.TryGetValue((row.Key, contender), out List<double>? values)) return null;
        double[] sorted = [.. values.Order()];
        double median = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        return (sorted[0], median, sorted[^1], sorted.Length);
    }

    private void Take(string row, string contender, double value)
    {
        if (!_values.TryGetValue((row, contender), out List<double>? values)) _values[(row, contender)] = values = [];
        values.Add(value);
    }
}
