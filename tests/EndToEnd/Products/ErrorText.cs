using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Products;

/// <summary>What users are promised of an error: a documented exit code, and one or two lines on stderr that name the matter.</summary>
internal static class ErrorText
{
    public static void AssertError(this CommandResult result, int exitCode, params string[] words)
    {
        result.AssertLastError(exitCode, words);
        Assert.InRange(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Length, 1, 2);
    }

    /// <summary>As <see cref="AssertError"/>, for a daemon, which may have logged something before.</summary>
    public static void AssertLastError(this CommandResult result, int exitCode, params string[] words)
    {
        Assert.True(result.ExitCode == exitCode, $"`{result.Command}` ended with {result.ExitCode}, not {exitCode}: {result.Error}");
        foreach (var word in words)
            Assert.Contains(word, result.Error, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("Exception", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }
}
