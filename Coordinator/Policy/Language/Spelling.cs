namespace Mesh.Coordinator.Policy.Language;

/// <summary>Guesses what was meant by a name that is not known.</summary>
internal static class Spelling
{
    /// <summary>"did you mean ...?" for the nearest candidate, or null when none is near.</summary>
    public static string? Suggest(string wrong, IEnumerable<string> candidates)
    {
        // Names are short; a long one is not a slip of the pen.
        if (wrong.Length > 100) return null;
        string? best = null;
        int allowed = Math.Clamp(wrong.Length / 4, 1, 3), least = allowed + 1;
        foreach (string candidate in candidates)
        {
            if (Math.Abs(candidate.Length - wrong.Length) > allowed) continue;
            int distance = Distance(wrong, candidate);
            if (distance < least) (best, least) = (candidate, distance);
        }
        return best is null ? null : $"did you mean {best}?";
    }

    /// <summary>Insertions, deletions, changes and swaps of neighbours (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        int[] before = new int[b.Length + 1], row = new int[b.Length + 1], next = new int[b.Length + 1];
        for (int j = 0; j <= b.Length; j++) row[j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            next[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1;
                next[j] = Math.Min(Math.Min(next[j - 1], row[j]) + 1, row[j - 1] + change);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) next[j] = Math.Min(next[j], before[j - 2] + 1);
            }
            (before, row, next) = (row, next, before);
        }
        return row[b.Length];
    }
}
