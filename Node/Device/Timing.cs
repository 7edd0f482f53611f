namespace Mesh.Node.Device;

/// <summary>Times and counts of the protocol (paper section 6), and of this implementation.</summary>
internal static class Timing
{
    // What the protocol fixes: both ends must agree on these.
    public static readonly TimeSpan RekeyAfterTime = TimeSpan.FromSeconds(120);
    public static readonly TimeSpan RejectAfterTime = TimeSpan.FromSeconds(180);
    public static readonly TimeSpan RekeyAttemptTime = TimeSpan.FromSeconds(90);
    public static readonly TimeSpan RekeyTimeout = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan KeepaliveTimeout = TimeSpan.FromSeconds(10);
    public const ulong RekeyAfterMessages = 1UL << 60;
    public const ulong RejectAfterMessages = ulong.MaxValue - (1UL << 13);

    // What follows from it.
    /// <summary>Keys no session uses any more are zeroed then.</summary>
    public static readonly TimeSpan ZeroKeysAfter = 3 * RejectAfterTime;

    /// <summary>Data went out and nothing came back: the session is taken for dead.</summary>
    public static readonly TimeSpan NewHandshakeAfter = KeepaliveTimeout + RekeyTimeout;

    /// <summary>An initiator that still receives on a session of this age renews it, though it sends nothing.</summary>
    public static readonly TimeSpan RekeyOnReceiveAfter = RejectAfterTime - KeepaliveTimeout - RekeyTimeout;

    public static readonly int MaxAttempts = (int)(RekeyAttemptTime / RekeyTimeout);

    // What this implementation chose.
    /// <summary>Upper bound of the random delay added to retries, so that two sides do not stay in step.</summary>
    public static readonly TimeSpan MaxJitter = TimeSpan.FromMilliseconds(334);

    /// <summary>Initiations of one peer that come closer together are dropped.</summary>
    public static readonly TimeSpan InitiationInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>Packets of one peer that wait for a handshake; the oldest goes when one more comes.</summary>
    public const int StagedPackets = 128;

    /// <summary>Bytes that wait for handshakes in the whole device; a packet beyond it is dropped.</summary>
    public const int StagedBytes = 16 * 1024 * 1024;

    /// <summary>Handshake messages that wait to be looked at; one more is dropped.</summary>
    public const int HandshakeQueue = 1024;
}
