using System.Text;

namespace Mesh.Protocol;

/// <summary>DNS labels (RFC 1123 section 2.1): 1 to 63 of a-z, 0-9 and '-', no '-' at either end; lower case only.</summary>
public static class DnsLabel
{
    public const int MaxChars = 63;

    public static bool IsValid(ReadOnlySpan<char> label)
    {
        if (label.Length is 0 or > MaxChars || label[0] == '-' || label[^1] == '-') return false;
        foreach (char c in label)
            if (!(c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-')) return false;
        return true;
    }

    /// <summary>
    /// The label nearest to what a machine calls itself: the part before the first dot, lower case, where that is not a label
    /// yet with runs of anything else made one '-', at most 63 characters. "node" when nothing is left.
    /// </summary>
    public static string From(string hostname)
    {
        int dot = hostname.IndexOf('.', StringComparison.Ordinal);
        string first = (dot >= 0 ? hostname[..dot] : hostname).ToLowerInvariant();
        if (IsValid(first)) return first;
        var label = new StringBuilder(MaxChars);
        foreach (char c in first)
        {
            if (label.Length == MaxChars) break;
            if (c is (>= 'a' and <= 'z') or (>= '0' and <= '9')) label.Append(c);
            else if (label.Length > 0 && label[^1] != '-') label.Append('-');
        }
        while (label.Length > 0 && label[^1] == '-') label.Length--;
        return label.Length == 0 ? "node" : label.ToString();
    }
}
