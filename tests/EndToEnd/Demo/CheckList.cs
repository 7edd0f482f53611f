using System.Diagnostics;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Mesh.EndToEnd.Demo;

/// <summary>A claim that was tried, and what came of it.</summary>
internal sealed record Check(string Name, bool Ok, long Ms);

/// <summary>Tries claims one after the other, each resting on those before, and tells the reader as it goes.</summary>
internal sealed class CheckList(TextWriter progress)
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // for a terminal, not a web page
    };

    private readonly List<Check> _checks = [];

    public IReadOnlyList<Check> Checks => _checks;

    /// <summary>Tries a claim: it held if the code returned, with a remark or null.</summary>
    /// <exception cref="CheckFailedException">It did not hold.</exception>
    public async Task TryAsync(string name, Func<Task<string?>> claim)
    {
        var start = Stopwatch.GetTimestamp();
        long Elapsed() => (long)Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        try
        {
            var remark = await claim();
            Note(new Check(name, true, Elapsed()), remark);
        }
        catch (Exception e)
        {
            Note(new Check(name, false, Elapsed()), null);
            throw new CheckFailedException(name, e);
        }
    }

    public string ToJson() => JsonSerializer.Serialize(new { Checks = _checks }, Options);

    private void Note(Check check, string? remark)
    {
        _checks.Add(check);
        progress.WriteLine($"  {(check.Ok ? "ok    " : "FAILED")}  {check.Name,-52} {check.Ms,6} ms{(remark is null ? "" : $"   {remark}")}");
    }
}

/// <summary>A claim did not hold; the cause is the inner exception.</summary>
internal sealed class CheckFailedException(string name, Exception cause) : Exception($"{name}: {cause.Message}", cause);
