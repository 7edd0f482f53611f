using Mesh.Node.Cli;

namespace Mesh.Node.Offload;

/// <summary>What is left to the kernel. Each is tried on its own, and given up alone when the kernel turns out not to do it.</summary>
[Flags]
public enum OffloadSet
{
    None = 0,

    /// <summary>The host's TCP and UDP come from the TUN interface as superpackets, without checksums.</summary>
    TunGso = 1,

    /// <summary>TCP segments from peers are given to the host as superpackets.</summary>
    TunTcpGro = 2,

    /// <summary>UDP datagrams from peers are given to the host as superpackets (Linux 6.2).</summary>
    TunUdpGro = 4,

    /// <summary>Datagrams of one size to one peer leave in one system call and one pass of the host's network stack.</summary>
    UdpGso = 8,

    /// <summary>Datagrams of one sender arrive together.</summary>
    UdpGro = 16,

    Tun = TunGso | TunTcpGro | TunUdpGro,
    All = Tun | UdpGso | UdpGro,
}

/// <summary>The operator's word on offloads: the variable MESH_OFFLOADS, a list of names.</summary>
internal static class OffloadSwitches
{
    public const string Variable = "MESH_OFFLOADS";

    private static readonly (string Name, OffloadSet Value)[] Names =
    [
        ("all", OffloadSet.All), ("none", OffloadSet.None), ("tun-gso", OffloadSet.TunGso), ("tun-tcp-gro", OffloadSet.TunTcpGro),
        ("tun-udp-gro", OffloadSet.TunUdpGro), ("udp-gso", OffloadSet.UdpGso), ("udp-gro", OffloadSet.UdpGro),
    ];

    /// <summary>What may be tried: all, if the variable is not set.</summary>
    /// <exception cref="UserException">The list holds a name that is none.</exception>
    public static OffloadSet FromEnvironment() => Parse(Environment.GetEnvironmentVariable(Variable));

    /// <param name="list">
    /// Names with commas between: "udp-gso,udp-gro" allows these alone, "-udp-gro" all but this, "none" none. Null or empty: all.
    /// </param>
    public static OffloadSet Parse(string? list)
    {
        if (string.IsNullOrWhiteSpace(list)) return OffloadSet.All;
        string[] words = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        OffloadSet set = words is [['-', ..], ..] ? OffloadSet.All : OffloadSet.None;
        foreach (string word in words)
        {
            bool takes = word.StartsWith('-');
            int at = Array.FindIndex(Names, known => word.AsSpan(takes ? 1 : 0).Equals(known.Name, StringComparison.OrdinalIgnoreCase));
            if (at < 0)
            {
                throw new UserException(ExitCode.Usage, $"{Variable} names \"{word}\", which is no offload",
                    $"Choose among {string.Join(", ", Names.Select(known => known.Name))}; \"-\" before a name takes it from all.");
            }
            set = takes ? set & ~Names[at].Value : set | Names[at].Value;
        }
        return set;
    }
}
