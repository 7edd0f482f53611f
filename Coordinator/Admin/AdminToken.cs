using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Admin;

/// <summary>
/// What lets somebody administer this coordinator over the network. It is the coordinator's, not a network's. Only the hash of
/// its text is known; a token that ended is kept, because logs name it.
/// </summary>
internal sealed record AdminToken
{
    /// <summary>Counts up from 1; never used again.</summary>
    public required ulong Id { get; init; }

    /// <summary>Whom the log names; 1 to 64 of letters, digits and ". _ @ -". No two usable tokens share one.</summary>
    public required string Name { get; init; }

    /// <summary>SHA-256 of the text, base64url.</summary>
    public required string Hash { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Who made it, in the log's words.</summary>
    public required string CreatedBy { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    public DateTimeOffset? RevokedAt { get; init; }

    public string? RevokedBy { get; init; }

    public AdminTokenStatus StatusAt(DateTimeOffset now) =>
        RevokedAt is not null ? AdminTokenStatus.Revoked : ExpiresAt <= now ? AdminTokenStatus.Expired : AdminTokenStatus.Valid;
}

internal enum AdminTokenStatus
{
    Valid,
    Expired,
    Revoked,
}

/// <summary>A token's text: "mtok_" and 32 random bytes in base64url. Shown once, stored nowhere.</summary>
internal static class AdminTokenText
{
    public const string Prefix = "mtok_";
    public const int Chars = 48;

    public static string New()
    {
        Span<byte> secret = stackalloc byte[32];
        RandomNumberGenerator.Fill(secret);
        string text = Prefix + Base64Url.EncodeToString(secret);
        CryptographicOperations.ZeroMemory(secret);
        return text;
    }

    /// <summary>SHA-256 of the text; false when it has not the form of a token. 256 random bits need no slow hash.</summary>
    public static bool TryHash(string text, out Bytes32 hash)
    {
        hash = default;
        if (text.Length != Chars || !text.StartsWith(Prefix, StringComparison.Ordinal) || !Base64Url.IsValid(text.AsSpan(Prefix.Length)))
            return false;
        Span<byte> bytes = stackalloc byte[Chars];
        hash = Bytes32.Sha256Of(bytes[..Encoding.ASCII.GetBytes(text, bytes)]);
        CryptographicOperations.ZeroMemory(bytes);
        return true;
    }
}
