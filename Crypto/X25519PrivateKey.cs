using System.Security.Cryptography;

namespace Mesh.Crypto;

/// <summary>An X25519 private key (RFC 7748), clamped.</summary>
public sealed class X25519PrivateKey : SecretKey
{
    private readonly LibraryX25519 _library;

    public X25519PrivateKey(ReadOnlySpan<byte> bytes) : base(bytes)
    {
        Span<byte> scalar = Writable;
        scalar[0] &= 248;
        scalar[31] = (byte)((scalar[31] & 127) | 64);
        _library = new LibraryX25519(scalar);
        Span<byte> point = stackalloc byte[X25519PublicKey.Length];
        _library.WritePublicKey(point);
        PublicKey = new X25519PublicKey(point);
    }

    public X25519PublicKey PublicKey { get; }

    public static X25519PrivateKey Generate()
    {
        Span<byte> bytes = stackalloc byte[Length];
        RandomNumberGenerator.Fill(bytes);
        var key = new X25519PrivateKey(bytes);
        CryptographicOperations.ZeroMemory(bytes);
        return key;
    }

    /// <summary>The shared secret, 32 bytes, which the caller zeroes.</summary>
    /// <returns>False, and zeroes, when it is all zero: the peer's key is of low order (RFC 7748 section 6.1).</returns>
    public bool TryAgree(in X25519PublicKey peer, Span<byte> shared)
    {
        if (shared.Length != Length) throw new ArgumentException($"a shared secret has {Length} bytes", nameof(shared));
        ThrowIfDisposed();
        if (_library.TryAgree(peer, shared)) return true;
        shared.Clear();
        return false;
    }

    public override void Dispose()
    {
        base.Dispose();
        _library.Dispose();
    }
}
