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

    /// <summary>A cookie is good for so long after it was given.</summary>
    public static readonly TimeSpan CookieLifetime = TimeSpan.FromSeconds(120);

    /// <summary>A cookie is not used in its last moments, as it would expire on the way.</summary>
    public static readonly TimeSpan CookieLatency = TimeSpan.FromSeconds(5);

    // What this implementation chose.
    /// <summary>So many handshake messages waiting are a load; then cookies are asked for.</summary>
    public const int LoadedQueue = HandshakeQueue / 8;

    /// <summary>How long a load is taken to last after it was seen.</summary>
    public static readonly TimeSpan LoadMemory = TimeSpan.FromSeconds(1);

    /// <summary>Handshake messages a second, and at once, of one source address (IPv6: one /64) under load.</summary>
    public const int SourceMessagesPerSecond = 20;
    public const int SourceBurst = 5;

    /// <summary>Source addresses that are remembered under load; a further one is refused until some are forgotten.</summary>
    public const int SourcesRemembered = 16_384;

    /// <summary>Upper bound of the random delay added to retries, so that two sides do not stay in step.</summary>
    public static readonly TimeSpan MaxJitter = TimeSpan.FromMilliseconds(334);

    /// <summary>Initiations of one peer that come closer together are dropped.</summary>
    public static readonly TimeSpan InitiationInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>Packets of one peer that wait for a handshake; the oldest goes when one more comes.</summary>
    public const int StagedPackets = 128;

    /// <summary>Bytes that wait for handshakes in the whole device; a packet beyond it is dropped.</summary>
    public const int StagedBytes = 16 * 1024 * 1024;

    /// <summary>So many handshake messages waiting are worth another thread, as long as there are cores; twice as many the next one.</summary>
    public const int HandshakeBacklog = 4;

    /// <summary>Threads that answer handshakes beside the control thread, at most.</summary>
    public const int HandshakeHelpers = 3;

    /// <summary>Handshake messages that wait to be looked at; one more is dropped.</summary>
    public const int HandshakeQueue = 1024;
}
