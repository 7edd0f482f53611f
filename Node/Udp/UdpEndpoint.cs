using System.Buffers.Binary;
using System.Net;

namespace Mesh.Node.Udp;

/// <summary>
/// Where a datagram came from or goes to: the remote address and port, and the local address it arrived at, which an
/// answer must leave from ("sticky" source). A value of 48 bytes without references: copying it allocates nothing.
/// Equality is over the remote part alone. Reads and writes of a shared one tear: its owner needs a lock.
/// </summary>
public readonly partial struct UdpEndpoint : IEquatable<UdpEndpoint>
{
    // Addresses are numbers in host order: an IPv6 address is (high, low), an IPv4 address the low 32 bits of low.
    private readonly ulong _high;
    private readonly ulong _low;
    private readonly ulong _sourceHigh;
    private readonly ulong _sourceLow;
    private readonly uint _scopeId;
    private readonly int _sourceInterface;
    private readonly ushort _port;
    private readonly UdpFamily _family;

    private UdpEndpoint(
        UdpFamily family, ulong high, ulong low, ushort port, uint scopeId,
        ulong sourceHigh = 0, ulong sourceLow = 0, int sourceInterface = 0)
    {
        _family = family;
        _high = high;
        _low = low;
        _port = port;
        _scopeId = scopeId;
        _sourceHigh = sourceHigh;
        _sourceLow = sourceLow;
        _sourceInterface = sourceInterface;
    }

    /// <summary>The family; <see cref="UdpFamily.None"/> for the default value.</summary>
    public UdpFamily Family => _family;

    /// <summary>True for the default value: no endpoint is known.</summary>
    public bool IsEmpty => _family == UdpFamily.None;

    /// <summary>The remote UDP port, host order.</summary>
    public int Port => _port;

    /// <summary>IPv6: the first 64 bits of the remote address as a number. IPv4: 0.</summary>
    public ulong AddressHigh => _high;

    /// <summary>IPv6: the last 64 bits of the remote address as a number. IPv4: the address, in the low 32 bits.</summary>
    public ulong AddressLow => _low;

    /// <summary>The interface index that scopes a link-local IPv6 address; 0 for all others.</summary>
    public uint ScopeId => _scopeId;

    /// <summary>True when a local source address is remembered.</summary>
    public bool HasSource => (_sourceHigh | _sourceLow) != 0;

    /// <summary>The sticky source address, as <see cref="AddressHigh"/>.</summary>
    public ulong SourceHigh => _sourceHigh;

    /// <summary>The sticky source address, as <see cref="AddressLow"/>.</summary>
    public ulong SourceLow => _sourceLow;

    /// <summary>The index of the interface that the last datagram from there arrived on; 0 when unknown.</summary>
    public int SourceInterface => _sourceInterface;

    /// <summary>An IPv4 endpoint. <paramref name="address"/> in host order: 127.0.0.1 is 0x7f000001.</summary>
    public static UdpEndpoint IPv4(uint address, ushort port) => new(UdpFamily.IPv4, 0, address, port, 0);

    /// <summary>
    /// An endpoint from 16 bytes of IPv6 address in network order. An IPv4-mapped address gives an IPv4 endpoint; the
    /// scope is kept for link-local addresses only.
    /// </summary>
    public static UdpEndpoint IPv6(ReadOnlySpan<byte> address, ushort port, uint scopeId = 0)
    {
        ulong high = BinaryPrimitives.ReadUInt64BigEndian(address);
        ulong low = BinaryPrimitives.ReadUInt64BigEndian(address[8..]);
        return IPv6(high, low, port, scopeId);
    }

    /// <summary>As the other overload, from the two halves of the address as numbers.</summary>
    public static UdpEndpoint IPv6(ulong high, ulong low, ushort port, uint scopeId = 0)
    {
        if (high == 0 && low >> 32 == 0xffff)
            return IPv4((uint)low, port);
        return new(UdpFamily.IPv6, high, low, port, IsLinkLocal(high) ? scopeId : 0);
    }

    /// <summary>An endpoint from .NET's type. Allocates.</summary>
    public static UdpEndpoint From(IPAddress address, int port)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentOutOfRangeException.ThrowIfNegative(port);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, ushort.MaxValue);
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int written);
        return written == 4
            ? IPv4(BinaryPrimitives.ReadUInt32BigEndian(bytes), (ushort)port)
            : IPv6(bytes, (ushort)port, (uint)address.ScopeId);
    }

    /// <inheritdoc cref="From(IPAddress, int)"/>
    public static UdpEndpoint From(IPEndPoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        return From(endpoint.Address, endpoint.Port);
    }

    /// <summary>Writes the remote address in network order: 4 bytes for IPv4, 16 for IPv6, 0 for none.</summary>
    /// <returns>The bytes written.</returns>
    public int WriteAddress(Span<byte> destination)
    {
        switch (_family)
        {
            case UdpFamily.IPv4:
                BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)_low);
                return 4;
            case UdpFamily.IPv6:
                BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
                BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _low);
                return 16;
            default:
                return 0;
        }
    }

    /// <summary>The remote address as .NET's type. Allocates.</summary>
    public IPAddress ToAddress() => ToAddress(_high, _low, _scopeId);

    /// <summary>The sticky source address as .NET's type, or null when there is none. Allocates.</summary>
    public IPAddress? ToSourceAddress() => HasSource ? ToAddress(_sourceHigh, _sourceLow, 0) : null;

    /// <summary>The remote part as .NET's type. Allocates.</summary>
    public IPEndPoint ToIPEndPoint() => new(ToAddress(), _port);

    /// <summary>The same remote part, with this local source (halves as in <see cref="AddressHigh"/>).</summary>
    public UdpEndpoint WithSource(ulong high, ulong low, int interfaceIndex) =>
        new(_family, _high, _low, _port, _scopeId, high, low, interfaceIndex);

    /// <summary>The same remote part, without a local source: routing picks one.</summary>
    public UdpEndpoint WithoutSource() => new(_family, _high, _low, _port, _scopeId);

    /// <summary>The same address with another port, without a local source.</summary>
    public UdpEndpoint WithPort(ushort port) => new(_family, _high, _low, port, _scopeId);

    /// <summary>True when both remote parts and both sources are the same.</summary>
    public bool EqualsWithSource(in UdpEndpoint other) =>
        Equals(other) && _sourceHigh == other._sourceHigh && _sourceLow == other._sourceLow
        && _sourceInterface == other._sourceInterface;

    /// <summary>True when the remote parts (family, address, scope, port) are the same.</summary>
    public bool Equals(UdpEndpoint other) =>
        _low == other._low && _high == other._high && _port == other._port && _family == other._family
        && _scopeId == other._scopeId;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is UdpEndpoint other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_high, _low, _scopeId, _port, _family);

    /// <summary>See <see cref="Equals(UdpEndpoint)"/>.</summary>
    public static bool operator ==(UdpEndpoint left, UdpEndpoint right) => left.Equals(right);

    /// <summary>See <see cref="Equals(UdpEndpoint)"/>.</summary>
    public static bool operator !=(UdpEndpoint left, UdpEndpoint right) => !left.Equals(right);

    /// <summary>fe80::/10.</summary>
    internal static bool IsLinkLocal(ulong high) => high >> 54 == 0xfe80 >> 6;

    private IPAddress ToAddress(ulong high, ulong low, uint scopeId)
    {
        if (_family == UdpFamily.IPv4)
            return new IPAddress((long)BinaryPrimitives.ReverseEndianness((uint)low));
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, high);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], low);
        return _family == UdpFamily.IPv6 ? new IPAddress(bytes, scopeId) : IPAddress.None;
    }
}
