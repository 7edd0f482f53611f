using Mesh.EndToEnd.Lab;

namespace Mesh.Benchmarks.Tunnel;

internal enum ContenderKind
{
    /// <summary>No tunnel: the link between the two hosts, which bounds what a tunnel over it can do.</summary>
    Link,

    /// <summary>A daemon with the cross-platform configuration socket, which wg(8) drives.</summary>
    WireGuard,

    Nebula,
}

/// <summary>One of those that are measured beside each other.</summary>
/// <param name="Key">Short, for options and JSON.</param>
/// <param name="Title">For people.</param>
/// <param name="Command">Program and arguments; {if} stands for the interface's name.</param>
/// <param name="Environment">Variables that choose a mode.</param>
internal sealed record Contender(
    string Key, string Title, ContenderKind Kind, string[] Command, IReadOnlyDictionary<string, string?> Environment)
{
    /// <summary>Ours as it comes; every ratio is between it and <see cref="Yardstick"/>.</summary>
    public const string Ours = "mesh";

    /// <summary>Debian's wireguard-go.</summary>
    public const string Yardstick = "wireguard-go";

    /// <summary>The variable that names a newer build of wireguard-go, to be measured as well.</summary>
    public const string NewerVariable = "MESH_BENCH_WIREGUARD_GO";

    private const string ForcedVariable = "WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD";

    /// <summary>Ours with a filter that can be switched.</summary>
    public static Contender FilterEnds => new("filter-ends", "mesh", ContenderKind.WireGuard, [System.Environment.ProcessPath!, FilterEnd.Verb, "{if}"], Aead(null));

    public bool IsOurs => Key.StartsWith(Ours, StringComparison.Ordinal);

    public static IReadOnlyList<Contender> All()
    {
        string[] mesh = [Repository.Program("mesh"), "wg", "--foreground", "{if}"];
        var all = new List<Contender>
        {
            new(Ours, "mesh", ContenderKind.WireGuard, mesh, Aead(null)),
            new(Ours + "-library", "mesh, AEAD of the library", ContenderKind.WireGuard, mesh, Aead("library")),
            new(Yardstick, "wireguard-go (Debian)", ContenderKind.WireGuard, ["/usr/bin/wireguard-go", "-f", "{if}"], Forced),
            new("nebula", "Nebula (Debian)", ContenderKind.Nebula, [], new Dictionary<string, string?>()),
            new("link", "the link alone", ContenderKind.Link, [], new Dictionary<string, string?>()),
        };
        if (System.Environment.GetEnvironmentVariable(NewerVariable) is { Length: > 0 } newer)
            all.Insert(3, new(Yardstick + "-new", "wireguard-go (newer)", ContenderKind.WireGuard, [newer, "-f", "{if}"], Forced));
        return all;
    }

    private static Dictionary<string, string?> Forced => new() { [ForcedVariable] = "1" };

    private static Dictionary<string, string?> Aead(string? mode) => new() { ["MESH_AEAD"] = mode };

    /// <summary>Starts the daemon and waits for its socket.</summary>
    public async Task<LabProcess> StartWireGuardAsync(NetworkNamespace host, string interfaceName)
    {
        LabProcess daemon = host.Start([.. Command.Select(word => word.Replace("{if}", interfaceName, StringComparison.Ordinal))],
            environment: Environment);
        string socket = $"/var/run/wireguard/{interfaceName}.sock";
        await Wait.UntilAsync($"{Title} answers", TimeSpan.FromSeconds(20),
            () => daemon.HasExited ? throw new InvalidOperationException($"{Title} ended: {daemon.Error}") : File.Exists(socket));
        return daemon;
    }
}
