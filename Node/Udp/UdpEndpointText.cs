using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using Mesh.Node.Kernel;

namespace Mesh.Node.Udp;

/// <summary>The text form: "192.0.2.1:51820", "[2001:db8::1]:51820", "[fe80::1%eth0]:51820".</summary>
public readonly partial struct UdpEndpoint : ISpanParsable<UdpEndpoint>
{
    // 45 characters of address, "%", 15 of interface name, "[]:" and 5 of port, with some to spare.
    private const int MaxTextLength = 80;

    private static readonly SearchValues<char> IPv4Alphabet = SearchValues.Create(".0123456789");
    private static readonly SearchValues<char> IPv6Alphabet = SearchValues.Create("0123456789abcdefABCDEF:.");

    /// <summary>Parses the text form. A scope may be an interface's name or its index. No host names.</summary>
    public static bool TryParse(ReadOnlySpan<char> s, out UdpEndpoint result) => TryParse(s, null, out result);

    /// <inheritdoc cref="TryParse(ReadOnlySpan{char}, out UdpEndpoint)"/>
    public static bool TryParse([NotNullWhen(true)] string? s, out UdpEndpoint result) =>
        TryParse(s.AsSpan(), null, out result);

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out UdpEndpoint result)
    {
        result = default;
        int colon = s.LastIndexOf(':');
        if (colon <= 0 || s.Length > MaxTextLength || !TryParsePort(s[(colon + 1)..], out ushort port))
            return false;
        ReadOnlySpan<char> host = s[..colon];
        if (host[0] != '[')
            return TryParseIPv4(host, port, out result);
        return host[^1] == ']' && TryParseIPv6(host[1..^1], port, out result);
    }

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out UdpEndpoint result) =>
        TryParse(s.AsSpan(), provider, out result);

    /// <inheritdoc/>
    public static UdpEndpoint Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out UdpEndpoint result)
            ? result
            : throw new FormatException("an endpoint is ADDRESS:PORT, with an IPv6 address in brackets");

    /// <inheritdoc/>
    public static UdpEndpoint Parse(string s, IFormatProvider? provider = null) => Parse(s.AsSpan(), provider);

    /// <summary>The text form of the remote part; "none" for the default value. Allocates.</summary>
    public override string ToString()
    {
        if (_family == UdpFamily.None)
            return "none";
        string port = _port.ToString(CultureInfo.InvariantCulture);
        if (_family == UdpFamily.IPv4)
            return $"{ToAddress()}:{port}";
        string address = ToAddress(_high, _low, 0).ToString();
        if (_scopeId == 0)
            return $"[{address}]:{port}";
        string scope = InterfaceNames.NameOf((int)_scopeId) ?? _scopeId.ToString(CultureInfo.InvariantCulture);
        return $"[{address}%{scope}]:{port}";
    }

    private static bool TryParsePort(ReadOnlySpan<char> text, out ushort port) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port);

    private static bool TryParseIPv4(ReadOnlySpan<char> host, ushort port, out UdpEndpoint result)
    {
        // IPAddress also takes the ancient forms "127.1" and "0x7f.1": only four decimal numbers pass here.
        result = default;
        if (host.ContainsAnyExcept(IPv4Alphabet) || host.Count('.') != 3
            || !IPAddress.TryParse(host, out IPAddress? address))
            return false;
        foreach (Range part in host.Split('.'))
        {
            if (host[part].Length > 1 && host[part][0] == '0')
                return false;
        }
        result = From(address, port);
        return true;
    }

    private static bool TryParseIPv6(ReadOnlySpan<char> host, ushort port, out UdpEndpoint result)
    {
        result = default;
        uint scopeId = 0;
        int percent = host.IndexOf('%');
        if (percent >= 0)
        {
            if (!TryParseScope(host[(percent + 1)..], out scopeId))
                return false;
            host = host[..percent];
        }
        // IPAddress also takes brackets and prefixes of its own: only the plain alphabet passes here.
        if (!host.Contains(':') || host.ContainsAnyExcept(IPv6Alphabet)
            || !IPAddress.TryParse(host, out IPAddress? address))
            return false;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        result = IPv6(bytes, port, scopeId);
        return true;
    }

    private static bool TryParseScope(ReadOnlySpan<char> text, out uint scopeId)
    {
        if (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out scopeId))
            return scopeId != 0;
        scopeId = (uint)InterfaceNames.IndexOf(text.ToString());
        return scopeId != 0;
    }
}
