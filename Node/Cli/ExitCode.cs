namespace Mesh.Node.Cli;

/// <summary>What every verb of <c>mesh</c> exits with. Scripts lean on these: a number never changes its meaning.</summary>
public enum ExitCode
{
    /// <summary>Done.</summary>
    Done = 0,

    /// <summary>Something that none of the others names; stderr says what.</summary>
    Failed = 1,

    /// <summary>The command line, the join link or a value in it makes no sense.</summary>
    Usage = 2,

    /// <summary>No daemon answers on the socket, or this user may not talk to it.</summary>
    NoDaemon = 3,

    /// <summary>The coordinator did not answer.</summary>
    CoordinatorUnreachable = 4,

    /// <summary>The server is not the coordinator that the pin names, or its certificate is too old.</summary>
    CoordinatorNotTrusted = 5,

    /// <summary>The coordinator refused: the key is expired, used or revoked, the network unknown, ...</summary>
    Refused = 6,

    /// <summary>Another daemon holds the state directory.</summary>
    StateDirectoryInUse = 7,

    /// <summary>The state directory can't be read or written, or what is in it is damaged.</summary>
    StateUnusable = 8,

    /// <summary>No right to make network interfaces, or no TUN driver.</summary>
    NoTunnelRights = 9,

    /// <summary>A port, a socket path or an interface name is taken.</summary>
    InUse = 10,

    /// <summary>This machine is in no network, or its tunnel is down.</summary>
    NotUp = 11,

    /// <summary>No such peer in what this machine may see.</summary>
    UnknownPeer = 12,

    /// <summary>ping: not one answer came.</summary>
    NoReply = 13,

    /// <summary>The machine waits for an administrator's approval.</summary>
    Pending = 14,
}
