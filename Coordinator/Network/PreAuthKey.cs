using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Network;

/// <summary>A key that lets machines in without an admin at hand. The network knows only the hash of its text.</summary>
public sealed record PreAuthKey
{
    /// <summary>Counts up from 1 in each network.</summary>
    public required ulong Id { get; init; }

    public required Bytes32 Hash { get; init; }

    public bool Reusable { get; init; }

    /// <summary>Of the nodes that it registers.</summary>
    public bool Ephemeral { get; init; }

    /// <summary>Its machines need no approval where the network asks for it.</summary>
    public bool PreApproved { get; init; }

    /// <summary>0 for none.</summary>
    public ulong UserId { get; init; }

    /// <summary>The user's login, "" for none. Its nodes belong to him, unless the key has tags: then they belong to nobody.</summary>
    public string User { get; init; } = "";

    public ImmutableArray<string> Tags { get; init; } = [];

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    public DateTimeOffset? RevokedAt { get; init; }

    /// <summary>Registrations by this key so far.</summary>
    public int Uses { get; init; }

    public PreAuthKeyStatus StatusAt(DateTimeOffset now) =>
        RevokedAt is not null ? PreAuthKeyStatus.Revoked
        : !Reusable && Uses > 0 ? PreAuthKeyStatus.Used
        : ExpiresAt <= now ? PreAuthKeyStatus.Expired
        : PreAuthKeyStatus.Valid;
}

public enum PreAuthKeyStatus
{
    Valid,
    Used,
    Expired,
    Revoked,
}

/// <summary>A pre-auth key's text: "mkey_" and 32 random bytes in base64url. Shown once, stored nowhere.</summary>
public static class PreAuthKeyText
{
    public const string Prefix = "mkey_";

    private const int SecretLength = 32;
    private const int SecretChars = 43;

    public static string New()
    {
        Span<byte> secret = stackalloc byte[SecretLength];
        RandomNumberGenerator.Fill(secret);
        var text = Prefix + Base64Url.EncodeToString(secret);
        CryptographicOperations.ZeroMemory(secret);
        return text;
    }

    /// <summary>SHA-256 of the text; false when it has not the form of a key. 256 random bits need no slow hash.</summary>
    public static bool TryHash(string text, out Bytes32 hash)
    {
        hash = default;
        if (text.Length != Prefix.Length + SecretChars || !text.StartsWith(Prefix, StringComparison.Ordinal)
            || !Base64Url.IsValid(text.AsSpan(Prefix.Length)))
            return false;
        Span<byte> bytes = stackalloc byte[Prefix.Length + SecretChars];
        hash = Bytes32.Sha256Of(bytes[..Encoding.ASCII.GetBytes(text, bytes)]);
        CryptographicOperations.ZeroMemory(bytes);
        return true;
    }
}
