using System.Security.Cryptography;

namespace Mesh.Crypto;

/// <summary>
/// 32 secret bytes in memory that the collector does not move, zeroed by <see cref="Dispose"/>. Never printed, and never
/// compared but in constant time.
/// </summary>
public abstract class SecretKey : IDisposable
{
    public const int Length = 32;

    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(Length, pinned: true);
    private bool _disposed;

    /// <summary>Copies 32 bytes; the caller zeroes its own.</summary>
    protected SecretKey(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Length) throw new ArgumentException($"a key has {Length} bytes", nameof(bytes));
        bytes.CopyTo(_bytes);
    }

    /// <summary>The secret itself, for the primitives of this project.</summary>
    internal ReadOnlySpan<byte> Bytes
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _bytes;
        }
    }

    /// <summary>For the constructor of a type that constrains its bytes.</summary>
    protected Span<byte> Writable => _bytes;

    /// <summary>Copies the secret, to be stored; the caller zeroes <paramref name="destination"/> when done.</summary>
    public void CopyTo(Span<byte> destination) => Bytes.CopyTo(destination);

    public bool FixedTimeEquals(SecretKey other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return CryptographicOperations.FixedTimeEquals(Bytes, other.Bytes);
    }

    public bool IsZero => CryptographicOperations.FixedTimeEquals(Bytes, stackalloc byte[Length]);

    public sealed override string ToString() => $"({GetType().Name})";

    [Obsolete("Compare secrets with FixedTimeEquals.", error: true)]
    public static bool operator ==(SecretKey? left, SecretKey? right) => throw new NotSupportedException();

    [Obsolete("Compare secrets with FixedTimeEquals.", error: true)]
    public static bool operator !=(SecretKey? left, SecretKey? right) => throw new NotSupportedException();

    public sealed override bool Equals(object? obj) => ReferenceEquals(this, obj);

    public sealed override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

    public virtual void Dispose()
    {
        CryptographicOperations.ZeroMemory(_bytes);
        _disposed = true;
        GC.SuppressFinalize(this);
    }
}
