using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Mesh.Protocol;

/// <summary>
/// One string that carries where the coordinator is, how to know it, which network, and the right to join:
/// <c>mesh://HOST:PORT/PIN/NETWORK#KEY</c>. PIN is base64url of SHA-256 over the root key's SubjectPublicKeyInfo (43
/// characters). Without <c>#KEY</c> registration waits for approval. A coordinator's own address, as the admin client
/// takes it, is the same without NETWORK.
/// </summary>
/// <param name="Host">Host name or address literal, without the brackets of IPv6.</param>
/// <param name="Pin">32 bytes.</param>
/// <param name="Network">Null in a coordinator's address.</param>
/// <param name="PreAuthKey">A secret; null when there is none.</param>
public sealed record JoinLink(string Host, int Port, ReadOnlyMemory<byte> Pin, string? Network, string? PreAuthKey)
{
    public const string Scheme = "mesh";
    private const int PinChars = 43;
    private static readonly SearchValues<char> IPv6Alphabet = SearchValues.Create("0123456789abcdefABCDEF:.");

    public static bool TryParse(string text, [NotNullWhen(true)] out JoinLink? link, [NotNullWhen(false)] out string? error)
    {
        link = null;
        text = text.Trim();
        if (text.Length > 1024 || !text.StartsWith("mesh://", StringComparison.Ordinal))
            return Fail("a join link starts with mesh://", out error);
        string rest = text["mesh://".Length..];
        string? key = null;
        int hash = rest.IndexOf('#', StringComparison.Ordinal);
        if (hash >= 0)
        {
            key = rest[(hash + 1)..];
            rest = rest[..hash];
            if (!IsKey(key)) return Fail("the part after '#' is not a pre-auth key (mkey_...)", out error);
        }
        string[] parts = rest.Split('/');
        if (parts.Length is < 2 or > 3) return Fail("a join link has the form mesh://HOST:PORT/PIN/NETWORK#KEY", out error);
        if (!TrySplitAuthority(parts[0], out string host, out int port))
            return Fail("HOST:PORT of the join link is not a host and a port from 1 to 65535", out error);
        byte[] pin = new byte[32];
        // Not TryDecodeFromChars, which throws on what is not base64url.
        if (parts[1].Length != PinChars || Base64Url.DecodeFromChars(parts[1], pin, out _, out int n) != OperationStatus.Done || n != 32)
            return Fail($"the pin of the join link is not {PinChars} characters of base64url; was the link cut off?", out error);
        string? network = parts.Length == 3 && parts[2].Length > 0 ? parts[2] : null;
        if (network is not null && !NetworkName.IsValid(network))
            return Fail("the network of the join link is not a name of a-z, 0-9 and '-'", out error);
        if (key is not null && network is null) return Fail("the join link has a key but no network", out error);
        link = new JoinLink(host, port, pin, network, key);
        error = null;
        return true;
    }

    /// <summary>The address of the coordinator alone; holds no secret, safe to log.</summary>
    public string CoordinatorAddress => $"{Scheme}://{Authority}/{Base64Url.EncodeToString(Pin.Span)}";

    public string Authority => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <summary>The whole link with its secret, for the one moment it is shown.</summary>
    public string Reveal() =>
        CoordinatorAddress + (Network is null ? "" : "/" + Network) + (PreAuthKey is null ? "" : "#" + PreAuthKey);

    /// <summary>Without the secret.</summary>
    public override string ToString() => CoordinatorAddress + (Network is null ? "" : "/" + Network);

    /// <summary>By value, the pin's bytes included; the secret in fixed time.</summary>
    public bool Equals(JoinLink? other) =>
        other is not null && Host == other.Host && Port == other.Port && Network == other.Network && Pin.Span.SequenceEqual(other.Pin.Span)
        && PreAuthKey is null == other.PreAuthKey is null
        && CryptographicOperations.FixedTimeEquals(
            MemoryMarshal.AsBytes(PreAuthKey.AsSpan()), MemoryMarshal.AsBytes(other.PreAuthKey.AsSpan()));

    public override int GetHashCode() => HashCode.Combine(Host, Port, Network);

    /// <summary>
    /// Splits "host:port", "1.2.3.4:port" or "[v6]:port". Names are ASCII (a look-alike would only fail at the pin, later and
    /// less clearly), IPv4 has four decimal parts, IPv6 no zone (it means nothing on another machine).
    /// </summary>
    public static bool TrySplitAuthority(string authority, out string host, out int port)
    {
        (host, port) = ("", 0);
        int colon = authority.LastIndexOf(':');
        if (colon <= 0) return false;
        host = authority[..colon];
        if (host.StartsWith('[') && host.EndsWith(']'))
        {
            host = host[1..^1];
            // The alphabet keeps out what IPAddress would take as well: brackets, a port, a zone.
            if (host.AsSpan().ContainsAnyExcept(IPv6Alphabet) || !host.Contains(':', StringComparison.Ordinal)
                || !IPAddress.TryParse(host, out _)) return false;
        }
        else if (!IsNameOrIPv4(host)) return false;
        var digits = authority.AsSpan(colon + 1);
        return digits.Length is > 0 and <= 5 && digits.IndexOfAnyExceptInRange('0', '9') < 0
            && int.TryParse(digits, out port) && port is > 0 and <= 65535;
    }

    private static bool IsNameOrIPv4(string host)
    {
        if (!Ascii.IsValid(host)) return false;
        return Uri.CheckHostName(host) switch
        {
            UriHostNameType.Dns => true,
            // "127.1" and "0x7f.1" count as IPv4 there.
            UriHostNameType.IPv4 => IPAddress.TryParse(host, out var address) && address.ToString() == host,
            _ => false,
        };
    }

    private static bool IsKey(string key)
    {
        if (!key.StartsWith("mkey_", StringComparison.Ordinal) || key.Length is <= 5 or > Control.ControlLimits.PreAuthKeyChars) return false;
        foreach (char c in key.AsSpan(5))
            if (!(char.IsAsciiLetterOrDigit(c) || c is '-' or '_')) return false;
        return true;
    }

    private static bool Fail(string message, out string error)
    {
        error = message;
        return false;
    }
}
