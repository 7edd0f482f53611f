using System.Buffers.Binary;
using System.Net;

namespace Mesh.Node.Device;

/// <summary>An address of either family as 128 bits, left-aligned: IPv4 stands in the first 32 of <see cref="High"/>.</summary>
public readonly record struct IpAddressBits(bool IsV6, ulong High, ulong Low)
{
    public int Bits => IsV6 ? 128 : 32;

    public static IpAddressBits V4(ReadOnlySpan<byte> bytes) => new(false, (ulong)BinaryPrimitives.ReadUInt32BigEndian(bytes) << 32, 0);

    public static IpAddressBits V6(ReadOnlySpan<byte> bytes) =>
        new(true, BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));

    public static IpAddressBits From(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        byte[] bytes = address.GetAddressBytes();
        return bytes.Length == 4 ? V4(bytes) : V6(bytes);
    }

    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], Low);
        return new IPAddress(IsV6 ? bytes : bytes[..4]);
    }
}

/// <summary>A prefix of either family; bits beyond its length are zero.</summary>
public readonly record struct IpPrefix
{
    /// <param name="length">0 to 32 or 128. Bits of <paramref name="address"/> beyond it are cleared.</param>
    public IpPrefix(IpAddressBits address, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, address.Bits);
        Length = length;
        Address = address with { High = address.High & HighMask(length), Low = address.Low & LowMask(length) };
    }

    public IpAddressBits Address { get; }

    public int Length { get; }

    public static IpPrefix From(IPAddress address, int length) => new(IpAddressBits.From(address), length);

    /// <summary>Reads "10.0.0.0/8", "fd00::/8", or an address alone; bits beyond the length are cleared.</summary>
    public static bool TryParse(string text, out IpPrefix prefix)
    {
        prefix = default;
        ArgumentNullException.ThrowIfNull(text);
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        string literal = slash < 0 ? text : text[..slash];
        if (literal.Contains('%', StringComparison.Ordinal) || !IPAddress.TryParse(literal, out var address)) return false;
        var bits = IpAddressBits.From(address);
        if (!bits.IsV6 && literal.Count(c => c == '.') != 3) return false;
        int length = bits.Bits;
        if (slash >= 0)
        {
            var digits = text.AsSpan(slash + 1);
            if (digits.Length is 0 or > 3 || digits.IndexOfAnyExceptInRange('0', '9') >= 0) return false;
            length = int.Parse(digits);
            if (length > bits.Bits) return false;
        }
        prefix = new IpPrefix(bits, length);
        return true;
    }

    public bool Contains(IpAddressBits address) =>
        address.IsV6 == Address.IsV6
        && ((address.High ^ Address.High) & HighMask(Length)) == 0
        && ((address.Low ^ Address.Low) & LowMask(Length)) == 0;

    public override string ToString() => $"{Address.ToIPAddress()}/{Length}";

    private static ulong HighMask(int length) => length == 0 ? 0 : length >= 64 ? ulong.MaxValue : ulong.MaxValue << (64 - length);

    private static ulong LowMask(int length) => length <= 64 ? 0 : ulong.MaxValue << (128 - length);
}
