using System.Text;

namespace Mesh.Fuzz;

/// <summary>The committed inputs under corpus/.</summary>
internal static class Corpus
{
    private static readonly string Root = Path.Combine(AppContext.BaseDirectory, "corpus");

    /// <summary>Lines of text; '#' begins a comment line.</summary>
    public static IReadOnlyList<byte[]> Lines(string file) => [.. Read(file).Select(Encoding.UTF8.GetBytes)];

    /// <summary>Lines of hexadecimal digits, with spaces where it helps the reader.</summary>
    public static IReadOnlyList<byte[]> Hex(string file) =>
        [.. Read(file).Select(line => Convert.FromHexString(line.Replace(" ", "", StringComparison.Ordinal)))];

    /// <summary>Each file of a folder.</summary>
    public static IReadOnlyList<byte[]> Files(string folder) => [.. Directory.GetFiles(Path.Combine(Root, folder)).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    private static IEnumerable<string> Read(string file) =>
        File.ReadLines(Path.Combine(Root, file)).Where(line => line.Length > 0 && !line.StartsWith("# ", StringComparison.Ordinal));
}
