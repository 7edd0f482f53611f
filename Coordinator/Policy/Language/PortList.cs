using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>"*", "22", "80-443", "22,80,8000-8999".</summary>
internal static class PortList
{
    /// <summary>The ranges, sorted and joined where they touch; empty for all ports. Null with what is wrong.</summary>
    public static ImmutableArray<PortSpan>? Parse(string text, out string? problem)
    {
        problem = null;
        if (text == "*") return [];
        List<PortSpan> spans = [];
        foreach (string part in text.Split(','))
        {
            int dash = part.IndexOf('-', StringComparison.Ordinal);
            if (dash < 0)
            {
                if (!TryPort(part, out ushort port, out problem)) return null;
                if (port == 0)
                {
                    problem = "first port must be >0, or use '*' for wildcard";
                    return null;
                }
                spans.Add(new PortSpan(port, port));
                continue;
            }
            if (dash == 0 || dash == part.Length - 1 || part.IndexOf('-', dash + 1) >= 0)
            {
                problem = "invalid port range format";
                return null;
            }
            if (!TryPort(part[..dash], out ushort first, out problem) || !TryPort(part[(dash + 1)..], out ushort last, out problem)) return null;
            if (first > last)
            {
                problem = "invalid port range: first port is greater than last port";
                return null;
            }
            spans.Add(new PortSpan(first, last));
        }
        return Join(spans);
    }

    /// <summary>Sorted, joined where they touch; empty when that is all ports.</summary>
    public static ImmutableArray<PortSpan> Join(IEnumerable<PortSpan> spans)
    {
        List<PortSpan> joined = [];
        foreach (var span in spans.Order())
        {
            if (joined.Count > 0 && span.First <= joined[^1].Last + 1)
                joined[^1] = joined[^1] with { Last = Math.Max(joined[^1].Last, span.Last) };
            else
                joined.Add(span);
        }
        return joined is [var only] && only.IsAll ? [] : [.. joined];
    }

    private static bool TryPort(string text, out ushort port, out string? problem)
    {
        port = 0;
        problem = null;
        if (text.Length is 0 or > 9 || !text.All(char.IsAsciiDigit)) problem = "invalid first integer";
        else if (!ushort.TryParse(text, out port)) problem = "port number out of range";
        return problem is null;
    }
}
