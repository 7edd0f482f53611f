namespace Mesh.Coordinator.Cli;

/// <summary>Addresses of the admin API, as a client asks for them.</summary>
internal static class Paths
{
    public const string Status = "/v1/status";
    public const string Root = "/v1/root";
    public const string Backup = "/v1/backup";
    public const string Tokens = "/v1/tokens";
    public const string Networks = "/v1/networks";

    public static string Network(string network) => Protocol.NetworkName.IsValid(network)
        ? $"{Networks}/{network}"
        : throw new CliFailure(ExitCode.Usage, "that is not the name of a network", "a name has 1 to 63 of a-z, 0-9 and '-'");

    /// <param name="node">An id or a name; whatever it is, it stays one segment.</param>
    public static string Node(string network, string node) => $"{Nodes(network)}/{Uri.EscapeDataString(node)}";

    public static string Waiting(string network) => Of(network, "waiting");

    public static string Approve(string network) => Of(network, "approve");

    /// <param name="user">An id or a name.</param>
    public static string User(string network, string user) => $"{Users(network)}/{Uri.EscapeDataString(user)}";

    public static string Users(string network) => Of(network, "users");

    public static string Keys(string network) => Of(network, "keys");

    public static string Nodes(string network) => Of(network, "nodes");

    public static string Policy(string network) => Of(network, "policy");

    public static string PolicyEffect(string network) => Policy(network) + "/effect";

    public static string PolicyExplanation(string network, string source, string destination, string protocol) => Policy(network)
        + $"/explain?source={Uri.EscapeDataString(source)}&destination={Uri.EscapeDataString(destination)}&protocol={Uri.EscapeDataString(protocol)}";

    public static string Log(string network) => Of(network, "log");

    private static string Of(string network, string what) => Protocol.NetworkName.IsValid(network)
        ? $"{Networks}/{network}/{what}"
        : throw new CliFailure(ExitCode.Usage, "--network is not the name of a network", "a name has 1 to 63 of a-z, 0-9 and '-'");
}
