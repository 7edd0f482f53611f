namespace Mesh.Protocol.Control;

/// <summary>
/// The "type" of every problem+json (RFC 9457) that the node API answers with. Stable: clients decide by them, never by
/// title or detail. A type that a node does not know is handled by the status code alone.
/// </summary>
public static class ProblemType
{
    private const string Prefix = "urn:mesh:problem:";

    /// <summary>400: not a message of this API, or a field out of its bounds; "field" names it.</summary>
    public const string Malformed = Prefix + "malformed";

    /// <summary>413: the body is larger than <see cref="ControlLimits.RequestBodyBytes"/>.</summary>
    public const string TooLarge = Prefix + "too-large";

    /// <summary>426: the two ends share no protocol version.</summary>
    public const string Version = Prefix + "protocol-version";

    /// <summary>401: no client certificate, or not an ECDSA P-256 one.</summary>
    public const string MachineKey = Prefix + "machine-key";

    /// <summary>404: no network of that name.</summary>
    public const string UnknownNetwork = Prefix + "unknown-network";

    /// <summary>403: the machine is not a member of the network (never was, left, or was removed).</summary>
    public const string NotRegistered = Prefix + "not-registered";

    /// <summary>403: the machine's authorisation has ended; its id, name and addresses are kept for when it is let in again.</summary>
    public const string Expired = Prefix + "authorisation-ended";

    /// <summary>403: the challenge is unknown, used, too old, or of another machine.</summary>
    public const string Challenge = Prefix + "challenge";

    /// <summary>403: the proof of possession does not fit the node key.</summary>
    public const string Proof = Prefix + "proof";

    /// <summary>409: another machine of the network holds the node key.</summary>
    public const string NodeKeyTaken = Prefix + "node-key-taken";

    /// <summary>409: what is asked for contradicts what there is, such as a name that is taken.</summary>
    public const string Conflict = Prefix + "conflict";

    /// <summary>412, admin API: what If-Match names is not what there is; someone else changed it.</summary>
    public const string Outdated = Prefix + "outdated";

    /// <summary>401, admin API over the network: no admin token, or none that is good.</summary>
    public const string Token = Prefix + "token";

    /// <summary>403, admin API over the network: only the coordinator's own machine may ask for this.</summary>
    public const string LocalOnly = Prefix + "local-only";

    /// <summary>403: the pre-auth key is none of this network's.</summary>
    public const string KeyUnknown = Prefix + "key-unknown";

    /// <summary>403: the pre-auth key's time is over.</summary>
    public const string KeyExpired = Prefix + "key-expired";

    /// <summary>403: the single-use pre-auth key was used by another machine.</summary>
    public const string KeyUsed = Prefix + "key-used";

    /// <summary>403: an administrator revoked the pre-auth key.</summary>
    public const string KeyRevoked = Prefix + "key-revoked";

    /// <summary>503: the network has no free address left.</summary>
    public const string AddressesExhausted = Prefix + "addresses-exhausted";

    /// <summary>429: over a rate or count of <see cref="ControlLimits"/>; Retry-After says when to come back.</summary>
    public const string Busy = Prefix + "busy";

    /// <summary>503: the coordinator can't store the change, or is stopping.</summary>
    public const string Unavailable = Prefix + "unavailable";

    /// <summary>500: a fault of the coordinator's own.</summary>
    public const string Internal = Prefix + "internal";

    /// <summary>404: no such path, or a peer that the node may not see.</summary>
    public const string NotFound = Prefix + "not-found";

    /// <summary>501: this coordinator does not offer the call.</summary>
    public const string NotOffered = Prefix + "not-offered";
}
