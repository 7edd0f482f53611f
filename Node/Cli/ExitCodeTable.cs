namespace Mesh.Node.Cli;

/// <summary>The exit codes in words, for the help texts; <see cref="ExitCode"/> documents each.</summary>
internal static class ExitCodeTable
{
    private static readonly (ExitCode Code, string Words)[] Words =
    [
        (ExitCode.Done, "done"),
        (ExitCode.Failed, "failed"),
        (ExitCode.Usage, "bad command line or link"),
        (ExitCode.NoDaemon, "no daemon answers"),
        (ExitCode.CoordinatorUnreachable, "coordinator unreachable"),
        (ExitCode.CoordinatorNotTrusted, "coordinator not trusted"),
        (ExitCode.Refused, "coordinator refused"),
        (ExitCode.StateDirectoryInUse, "state directory in use"),
        (ExitCode.StateUnusable, "state directory unusable"),
        (ExitCode.NoTunnelRights, "no rights for a tunnel"),
        (ExitCode.InUse, "port, socket or interface taken"),
        (ExitCode.NotUp, "in no network, or down"),
        (ExitCode.UnknownPeer, "unknown peer"),
        (ExitCode.NoReply, "no ping answered"),
        (ExitCode.Pending, "waits for approval"),
    ];

    public static IReadOnlyList<(ExitCode Code, string Words)> All => Words;

    public static string OneLine => string.Join(", ", Words.Select(entry => $"{(int)entry.Code} {entry.Words}"));
}
