using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Mesh.Coordinator.Policy;

/// <summary>
/// A prefix of IPv4 or IPv6 as a value, cheap to compare and to look up. An IPv4 address lies in the low 32 bits of the number.
/// </summary>
public readonly record struct IpPrefix : IComparable<IpPrefix>
{
    private IpPrefix(bool isIPv6, UInt128 first, int length)
    {
        IsIPv6 = isIPv6;
        First = first;
        Length = length;
    }

    public bool IsIPv6 { get; }

    /// <summary>The first address: no bits beyond the length.</summary>
    public UInt128 First { get; }

    public int Length { get; }

    public int Bits => IsIPv6 ? 128 : 32;

    public UInt128 Last => First | HostBits(Bits, Length);

    public bool IsSingleAddress => Length == Bits;

    /// <summary>0.0.0.0/0 or ::/0: on a node, the offer to be an exit.</summary>
    public bool IsDefaultRoute => Length == 0;

    public static IpPrefix AllIPv4 { get; } = new(false, 0, 0);

    public static IpPrefix AllIPv6 { get; } = new(true, 0, 0);

    /// <summary>Bits beyond the length are dropped.</summary>
    public static IpPrefix Create(bool isIPv6, UInt128 address, int length)
    {
        int bits = isIPv6 ? 128 : 32;
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, bits);
        return new IpPrefix(isIPv6, address & ~HostBits(bits, length), length);
    }

    /// <summary>The prefix that holds the one address.</summary>
    public static IpPrefix Of(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        bool isIPv6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        return Create(isIPv6, Number(address), isIPv6 ? 128 : 32);
    }

    public static IpPrefix Of(IPNetwork network) =>
        Create(network.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6, Number(network.BaseAddress), network.PrefixLength);

    /// <summary>
    /// An address or a prefix as people write them; bits beyond the length are dropped. What .NET takes beyond that ("1", "0x7f.1",
    /// zones, octal numbers) is not one.
    /// </summary>
    public static bool TryParse(string text, out IpPrefix prefix)
    {
        ArgumentNullException.ThrowIfNull(text);
        prefix = default;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        string address = slash < 0 ? text : text[..slash];
        if (!TryParseAddress(address, out var parsed)) return false;
        bool isIPv6 = parsed.AddressFamily == AddressFamily.InterNetworkV6;
        int bits = isIPv6 ? 128 : 32, length = bits;
        if (slash >= 0 && !TryParseLength(text.AsSpan(slash + 1), bits, out length)) return false;
        prefix = Create(isIPv6, Number(parsed), length);
        return true;
    }

    public static IpPrefix Parse(string text) =>
        TryParse(text, out var prefix) ? prefix : throw new FormatException($"'{text}' is not an address or prefix.");

    public bool Contains(IpPrefix other) =>
        IsIPv6 == other.IsIPv6 && Length <= other.Length && (other.First & ~HostBits(Bits, Length)) == First;

    public bool Overlaps(IpPrefix other) => Contains(other) || other.Contains(this);

    /// <summary>IPv4 first, then by address, then the wider.</summary>
    public int CompareTo(IpPrefix other)
    {
        int order = IsIPv6.CompareTo(other.IsIPv6);
        if (order == 0) order = First.CompareTo(other.First);
        return order != 0 ? order : Length.CompareTo(other.Length);
    }

    public static bool operator <(IpPrefix left, IpPrefix right) => left.CompareTo(right) < 0;

    public static bool operator >(IpPrefix left, IpPrefix right) => left.CompareTo(right) > 0;

    public static bool operator <=(IpPrefix left, IpPrefix right) => left.CompareTo(right) <= 0;

    public static bool operator >=(IpPrefix left, IpPrefix right) => left.CompareTo(right) >= 0;

    public IPAddress FirstAddress() => ToAddress(IsIPv6, First);

    /// <summary>"10.0.0.0/8": always with its length.</summary>
    public override string ToString() => $"{FirstAddress()}/{Length}";

    internal static IPAddress ToAddress(bool isIPv6, UInt128 number)
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, number);
        return new IPAddress(isIPv6 ? bytes : bytes[12..]);
    }

    internal static UInt128 Number(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        bool isIPv6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        address.TryWriteBytes(isIPv6 ? bytes : bytes[12..], out _);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    private static bool TryParseAddress(string text, [NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        bool isIPv6 = text.Contains(':', StringComparison.Ordinal);
        if (isIPv6)
        {
            foreach (char c in text)
                if (!char.IsAsciiHexDigit(c) && c is not (':' or '.')) return false;
        }
        else
        {
            string[] parts = text.Split('.');
            if (parts.Length != 4) return false;
            foreach (string part in parts)
                if (part.Length is 0 or > 3 || !part.All(char.IsAsciiDigit) || (part.Length > 1 && part[0] == '0')) return false;
        }
        return IPAddress.TryParse(text, out address) && !address.IsIPv4MappedToIPv6;
    }

    private static bool TryParseLength(ReadOnlySpan<char> text, int bits, out int length)
    {
        length = 0;
        if (text.Length is 0 or > 3 || (text.Length > 1 && text[0] == '0')) return false;
        foreach (char c in text)
        {
            if (!char.IsAsciiDigit(c)) return false;
            length = length * 10 + (c - '0');
        }
        return length <= bits;
    }

    private static UInt128 HostBits(int bits, int length) =>
        bits == length ? UInt128.Zero : (bits - length == 128 ? UInt128.MaxValue : (UInt128.One << (bits - length)) - 1);
}
