namespace Mesh.Coordinator.Network;

/// <summary>Bounds on what one network holds and a command may carry. Commands beyond them are refused.</summary>
public static class NetworkLimits
{
    public const int Nodes = 1_000_000;

    /// <summary>Kept for ever, used and revoked ones too, because nodes and the log name them.</summary>
    public const int PreAuthKeys = 1_000_000;

    public const int TagsPerNode = 32;

    public const int TagChars = 64;

    public const int UserChars = 254;

    /// <summary>A node id's upper half is random, so that one network's ids mean nothing in another; all stay below 2^53.</summary>
    public const int NodeIdRandomBits = 20;

    public static readonly TimeSpan PreAuthKeyLifetime = TimeSpan.FromHours(24);

    public static readonly TimeSpan MaxPreAuthKeyLifetime = TimeSpan.FromDays(3650);
}
