using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>IP protocols by the names that a policy uses, and by number.</summary>
internal static class IpProtocols
{
    /// <summary>What a rule lets through that names none: ICMP, TCP, UDP, ICMPv6.</summary>
    public static ImmutableArray<byte> Default { get; } = [1, 6, 17, 58];

    private static readonly Dictionary<string, byte> ByName = new(StringComparer.OrdinalIgnoreCase)
    {
        ["icmp"] = 1, ["igmp"] = 2, ["ipv4"] = 4, ["ip-in-ip"] = 4, ["tcp"] = 6, ["egp"] = 8, ["igp"] = 9, ["udp"] = 17, ["gre"] = 47,
        ["esp"] = 50, ["ah"] = 51, ["ipv6-icmp"] = 58, ["sctp"] = 132, ["fc"] = 133,
    };

    public static IEnumerable<string> Names => ByName.Keys;

    /// <summary>TCP, UDP and SCTP.</summary>
    public static bool HasPorts(byte protocol) => protocol is 6 or 17 or 132;

    public static string NameOf(byte protocol) => ByName.FirstOrDefault(pair => pair.Value == protocol).Key ?? $"{protocol}";

    /// <summary>Null with what is wrong.</summary>
    public static byte? Parse(string text, out string? problem)
    {
        problem = null;
        text = text.Trim();
        if (ByName.TryGetValue(text, out byte known)) return known;
        if (text.Length > 0 && text.All(char.IsAsciiDigit))
        {
            if (text[0] == '0') problem = $"leading 0 not permitted in protocol number: {HuJson.Quote(text)}";
            else if (byte.TryParse(text, out byte number)) return number;
            else problem = $"protocol number out of range (0-255): {text}";
            return null;
        }
        problem = $"proto name {HuJson.Quote(text)} not known; use protocol number 0-255 or protocol name (icmp, tcp, udp, etc.)";
        return null;
    }
}
