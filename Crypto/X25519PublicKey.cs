using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mesh.Crypto;

/// <summary>An X25519 public key, 32 bytes: a node key. Written as base64 (44 characters), as WireGuard's tools do.</summary>
public readonly struct X25519PublicKey : IEquatable<X25519PublicKey>
{
    public const int Length = 32;
    private const int Base64Length = 44;

    private readonly ulong _a, _b, _c, _d;

    public X25519PublicKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Length) throw new ArgumentException($"a public key has {Length} bytes", nameof(bytes));
        _a = MemoryMarshal.Read<ulong>(bytes);
        _b = MemoryMarshal.Read<ulong>(bytes[8..]);
        _c = MemoryMarshal.Read<ulong>(bytes[16..]);
        _d = MemoryMarshal.Read<ulong>(bytes[24..]);
    }

    /// <summary>Valid as long as the value that it was taken from.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> AsSpan() =>
        MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.AsRef(in this), 1));

    public byte[] ToArray() => AsSpan().ToArray();

    public bool IsZero => (_a | _b | _c | _d) == 0;

    /// <summary>Reads exactly what <see cref="ToString"/> writes, so that a key has one spelling.</summary>
    public static bool TryParse(ReadOnlySpan<char> base64, out X25519PublicKey key)
    {
        Span<byte> bytes = stackalloc byte[Length];
        // The decoder does not mind bits set in the last digit that belong to no byte; these digits have none.
        bool ok = base64.Length == Base64Length && "AEIMQUYcgkosw048".Contains(base64[^2], StringComparison.Ordinal)
            && Convert.TryFromBase64Chars(base64, bytes, out int n) && n == Length;
        key = ok ? new X25519PublicKey(bytes) : default;
        return ok;
    }

    public override string ToString() => Convert.ToBase64String(AsSpan());

    public bool Equals(X25519PublicKey other) => _a == other._a && _b == other._b && _c == other._c && _d == other._d;

    public override bool Equals(object? obj) => obj is X25519PublicKey other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(_a, _b, _c, _d);

    public static bool operator ==(X25519PublicKey left, X25519PublicKey right) => left.Equals(right);

    public static bool operator !=(X25519PublicKey left, X25519PublicKey right) => !left.Equals(right);
}
