using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>Durations as the policy format writes them: "30s", "1h30m", "-1m", "0".</summary>
internal static partial class GoDuration
{
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        if (text is "0" or "+0" or "-0") return true;
        if (text.Length > 64 || !Whole().IsMatch(text)) return false;
        decimal seconds = 0;
        foreach (Match part in Part().Matches(text))
        {
            if (!decimal.TryParse(part.Groups[1].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal count)) return false;
            decimal unit = part.Groups[2].Value switch { "h" => 3600, "m" => 60, "s" => 1, "ms" => 0.001m, "ns" => 0.000_000_001m, _ => 0.000_001m };
            // Beyond what anybody means, and what a time span holds.
            if (count > 1_000_000_000) return false;
            seconds += count * unit;
        }
        duration = TimeSpan.FromTicks((long)(seconds * TimeSpan.TicksPerSecond)) * (text[0] == '-' ? -1 : 1);
        return true;
    }

    /// <summary>"168h0m1s".</summary>
    public static string Format(TimeSpan duration)
    {
        var text = new StringBuilder(duration < TimeSpan.Zero ? "-" : "");
        duration = duration.Duration();
        if (duration >= TimeSpan.FromHours(1)) text.Append(CultureInfo.InvariantCulture, $"{(long)duration.TotalHours}h");
        if (duration >= TimeSpan.FromMinutes(1)) text.Append(CultureInfo.InvariantCulture, $"{duration.Minutes}m");
        return text.Append(CultureInfo.InvariantCulture, $"{(decimal)(duration.Ticks % TimeSpan.TicksPerMinute) / TimeSpan.TicksPerSecond:0.#######}s").ToString();
    }

    [GeneratedRegex(@"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(h|m|s|ms|us|µs|ns))+$", RegexOptions.NonBacktracking)]
    private static partial Regex Whole();

    [GeneratedRegex("([0-9.]+)(ms|us|µs|ns|h|m|s)", RegexOptions.NonBacktracking)]
    private static partial Regex Part();
}
