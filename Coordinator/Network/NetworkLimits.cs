namespace Mesh.Coordinator.Network;

/// <summary>Bounds on what one network holds and a command may carry. Commands beyond them are refused.</summary>
public static class NetworkLimits
{
    /// <summary>Of one coordinator: each has a thread and open files.</summary>
    public const int Networks = 1024;

    public const int Nodes = 1_000_000;

    /// <summary>Kept for ever, used and revoked ones too, because nodes and the log name them.</summary>
    public const int PreAuthKeys = 1_000_000;

    public const int Users = 1_000_000;

    public const int UserLabelChars = 254;

    public const int TagsPerNode = 32;

    public const int TagChars = 64;

    public const int UserChars = 254;

    /// <summary>A node id's upper half is random, so that one network's ids mean nothing in another; all stay below 2^53.</summary>
    public const int NodeIdRandomBits = 20;

    /// <summary>How long an ephemeral node may be away. Counted from when it was last seen or the coordinator started.</summary>
    public static readonly TimeSpan EphemeralAbsence = TimeSpan.FromMinutes(30);

    /// <summary>
    /// After so long away an ephemeral node's return is written into the log before it is answered. What is left of
    /// <see cref="EphemeralAbsence"/> is far longer than a sighting takes from its clock reading to its effect.
    /// </summary>
    public static readonly TimeSpan SightingsLoggedAfter = TimeSpan.FromMinutes(25);

    /// <summary>Between the deletion of a network and its removal, when the administrator says nothing else.</summary>
    public static readonly TimeSpan NetworkGrace = TimeSpan.FromDays(7);

    public static readonly TimeSpan MaxNetworkGrace = TimeSpan.FromDays(365);

    /// <summary>Of a user's node, where the network says nothing else.</summary>
    public static readonly TimeSpan NodeLifetime = TimeSpan.FromDays(180);

    /// <summary>A node's owner and the administrators are warned so long ahead.</summary>
    public static readonly TimeSpan ExpiryWarning = TimeSpan.FromDays(14);

    /// <summary>Between two changes of a node key, where the network says nothing else.</summary>
    public static readonly TimeSpan KeyRotation = TimeSpan.FromDays(30);

    /// <summary>Less would have nodes change keys while the change before is still under way.</summary>
    public static readonly TimeSpan MinKeyRotation = TimeSpan.FromMinutes(10);

    public static readonly TimeSpan MinNodeLifetime = TimeSpan.FromMinutes(1);

    public static readonly TimeSpan MaxSetting = TimeSpan.FromDays(3650);

    public static readonly TimeSpan PreAuthKeyLifetime = TimeSpan.FromHours(24);

    public static readonly TimeSpan MaxPreAuthKeyLifetime = TimeSpan.FromDays(3650);
}
