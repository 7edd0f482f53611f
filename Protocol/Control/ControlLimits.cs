namespace Mesh.Protocol.Control;

/// <summary>
/// Every bound on size, rate and count of the control channel, on both of its ends. A value over its bound is refused with
/// a typed problem by the coordinator and ends the poll on the node; nothing is cut short silently.
/// </summary>
public static class ControlLimits
{
    /// <summary>Largest body of any request, in bytes.</summary>
    public const int RequestBodyBytes = 64 * 1024;

    /// <summary>Largest single map frame, in bytes: a snapshot of some ten thousand peers with endpoints.</summary>
    public const int MapFrameBytes = 16 * 1024 * 1024;

    /// <summary>Bytes that a stalled poll may hold unsent in the coordinator before it is closed.</summary>
    public const int StalledPollBytes = 64 * 1024;

    /// <summary>Largest problem+json body that a node reads, in bytes.</summary>
    public const int ProblemBodyBytes = 16 * 1024;

    public const int NetworkNameChars = 63;
    public const int HostnameBytes = 253;
    public const int HostFactChars = 64;
    public const int PreAuthKeyChars = 128;
    public const int ResumeTokenBytes = 256;
    public const int LogKeyCertificateBytes = 1024;
    public const int KeySignatureBytes = 512;
    public const int Capabilities = 32;
    public const int EndpointsPerNode = 32;
    public const int PrefixesPerPeer = 1024;
    public const int FilterRules = 16 * 1024;

    public const int ChallengeIdBytes = 16;
    public const int NonceBytes = 32;
    public const int NetworkIdBytes = 16;
    public const int BootIdBytes = 16;
    public const int KeyBytes = 32;
    public const int ProofBytes = 32;
    public const int HashBytes = 32;
    public const int SignatureBytes = 64;

    public static readonly TimeSpan ChallengeLifetime = TimeSpan.FromSeconds(60);

    /// <summary>Challenges outstanding for one machine key; a further one replaces the oldest.</summary>
    public const int ChallengesPerMachine = 4;

    /// <summary>Challenges outstanding in the whole coordinator; beyond it a request is refused with "busy".</summary>
    public const int ChallengesOutstanding = 65_536;

    /// <summary>Machines of a network that wait for approval at a time; a further one is refused with "busy".</summary>
    public const int WaitingPerNetwork = 1024;

    /// <summary>The same for one source address.</summary>
    public const int WaitingPerAddress = 32;

    /// <summary>A waiting machine that has not asked for so long is forgotten.</summary>
    public static readonly TimeSpan WaitingSilence = TimeSpan.FromMinutes(3);

    /// <summary>How long the answer to a registration that waits for approval is held back.</summary>
    public static readonly TimeSpan ApprovalWait = TimeSpan.FromSeconds(10);

    /// <summary>A node key that was replaced is answered beside the new one for so long at most.</summary>
    public static readonly TimeSpan PreviousKeyOverlap = TimeSpan.FromMinutes(5);

    /// <summary>Keepalive frames on a quiet poll, with a jitter of a tenth either way.</summary>
    public static readonly TimeSpan KeepAliveInterval = TimeSpan.FromSeconds(25);

    /// <summary>A poll that brought nothing for so long is dead to the node; one that takes nothing, to the coordinator.</summary>
    public static readonly TimeSpan PollSilence = TimeSpan.FromSeconds(75);

    /// <summary>Requests other than polls that one source address may make a second, and at once.</summary>
    public const int RequestsPerSecondPerAddress = 50;
    public const int RequestBurstPerAddress = 200;

    /// <summary>How far two clocks may differ before the node warns its user.</summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(5);
}
