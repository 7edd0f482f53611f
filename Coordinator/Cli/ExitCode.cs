namespace Mesh.Coordinator.Cli;

/// <summary>Every exit code of mesh-coordinator. Scripts lean on them: numbers are added, never changed.</summary>
internal static class ExitCode
{
    public const int Ok = 0;

    /// <summary>The coordinator refused, or found something wrong (log verify); stderr says what.</summary>
    public const int Refused = 1;

    /// <summary>The command line is wrong, or a confirmation is missing; nothing was changed.</summary>
    public const int Usage = 2;

    /// <summary>No coordinator answers, or not the one that the pin names.</summary>
    public const int Unreachable = 3;

    /// <summary>The coordinator does not take the admin token: unknown, expired or revoked.</summary>
    public const int TokenRefused = 4;

    /// <summary>serve: another coordinator runs on the state directory.</summary>
    public const int StateDirectoryInUse = 10;

    /// <summary>serve: the state directory cannot be made, read or written.</summary>
    public const int StateDirectoryUnusable = 11;

    /// <summary>serve: the address to listen on is taken, not ours, or not allowed.</summary>
    public const int AddressUnusable = 12;

    /// <summary>serve: a key, certificate or log in the state directory is damaged; nothing was changed.</summary>
    public const int StateDamaged = 13;

    /// <summary>serve: a write to the log failed (I/O error; at the start also a full disk) and the process ended rather than guess.</summary>
    public const int StoreFailed = 14;

    /// <summary>A fault of ours; the message asks for a report.</summary>
    public const int Fault = 70;
}
