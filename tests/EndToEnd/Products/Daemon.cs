namespace Mesh.EndToEnd.Products;

/// <summary>What the two daemons have in common as processes under test.</summary>
internal static class Daemon
{
    private const int TailLines = 25;

    /// <summary>
    /// The command, with all that it prints appended to a file: a daemon that outlives the one who started it must not
    /// write into a broken pipe.
    /// </summary>
    public static string[] LoggingTo(string file, string[] command) =>
        ["sh", "-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1", "sh", file, .. command];

    /// <summary>The end of a log, for the message of a failure.</summary>
    public static string Tail(string file) =>
        File.Exists(file)
            ? $"The end of {Path.GetFileName(file)}:\n  " + string.Join("\n  ", File.ReadLines(file).TakeLast(TailLines))
            : "";
}
