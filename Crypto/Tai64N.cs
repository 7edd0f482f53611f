using System.Buffers.Binary;

namespace Mesh.Crypto;

/// <summary>
/// TAI64N as WireGuard uses it (paper section 5.1): 8 bytes of seconds since 1970 plus 2^62 + 10, 4 bytes of nanoseconds, big
/// endian, so that comparing bytes compares times. The low 24 bits of the nanoseconds are cleared, so that a responder
/// learns no fine timing of the initiator; two stamps differ only when about 17 ms lie between them.
/// </summary>
public readonly struct Tai64N : IEquatable<Tai64N>, IComparable<Tai64N>
{
    public const int Length = 12;
    private const ulong EpochOffset = 0x400000000000000aUL;
    private const uint Coarse = 1u << 24;

    private readonly ulong _seconds;
    private readonly uint _nanoseconds;

    private Tai64N(ulong seconds, uint nanoseconds) => (_seconds, _nanoseconds) = (seconds, nanoseconds);

    public static Tai64N From(DateTimeOffset time)
    {
        long ticks = time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks;
        long seconds = Math.DivRem(ticks, TimeSpan.TicksPerSecond, out long rest);
        if (rest < 0) (seconds, rest) = (seconds - 1, rest + TimeSpan.TicksPerSecond);
        return new Tai64N(unchecked(EpochOffset + (ulong)seconds), (uint)rest * 100 & ~(Coarse - 1));
    }

    /// <param name="bytes">12 bytes.</param>
    public static Tai64N Read(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]));

    /// <param name="bytes">12 bytes.</param>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes, _seconds);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[8..], _nanoseconds);
    }

    /// <summary>The next coarser stamp behind this one.</summary>
    public Tai64N Next()
    {
        // In 64 bits: a stamp that was read, not made, may claim more than a second of nanoseconds.
        ulong nanoseconds = (_nanoseconds & ~(Coarse - 1)) + (ulong)Coarse;
        return nanoseconds < 1_000_000_000 ? new Tai64N(_seconds, (uint)nanoseconds) : new Tai64N(_seconds + 1, 0);
    }

    public Tai64N AddSeconds(uint seconds) => new(_seconds + seconds, _nanoseconds);

    public int CompareTo(Tai64N other)
    {
        int seconds = _seconds.CompareTo(other._seconds);
        return seconds != 0 ? seconds : _nanoseconds.CompareTo(other._nanoseconds);
    }

    public bool Equals(Tai64N other) => _seconds == other._seconds && _nanoseconds == other._nanoseconds;

    public override bool Equals(object? obj) => obj is Tai64N other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(_seconds, _nanoseconds);

    public static bool operator ==(Tai64N left, Tai64N right) => left.Equals(right);
    public static bool operator !=(Tai64N left, Tai64N right) => !left.Equals(right);
    public static bool operator <(Tai64N left, Tai64N right) => left.CompareTo(right) < 0;
    public static bool operator >(Tai64N left, Tai64N right) => left.CompareTo(right) > 0;
    public static bool operator <=(Tai64N left, Tai64N right) => left.CompareTo(right) <= 0;
    public static bool operator >=(Tai64N left, Tai64N right) => left.CompareTo(right) >= 0;
}
